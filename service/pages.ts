/** The dashboard's files, as vite wrote them: a client of the public API that happens to be served beside it. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import express, { type Express } from 'express';

const folder = fileURLToPath(new URL('../dashboard/', import.meta.url));

/** Hashed names under /assets never change, so they are cached for good; the page itself is asked for each time. */
export function servePages(app: Express): void {
  if (!existsSync(folder)) return;
  app.use(
    express.static(folder, {
      dotfiles: 'ignore',
      fallthrough: true,
      redirect: false,
      setHeaders: (response, path) => {
        const isHashed = /[/\\]assets[/\\]/.test(path);
        response.setHeader('Cache-Control', isHashed ? 'public, max-age=31536000, immutable' : 'no-cache');
      },
    }),
  );
}
