// The heavy tier: `make test-slow`.
export default { files: ['dist/test/**/*.slow.test.js'], timeout: '60m', concurrency: 1, workerThreads: false };
