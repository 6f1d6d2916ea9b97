/**
 * A feed-forward net in float32 with Adam, one sample at a time: no small npm library trains a LeNet on a CPU,
 * and this is all that a 44,426-parameter net needs. A layer keeps what its backward pass reads.
 */
import type { SeededRandom } from './random.js';

export interface Layer {
  readonly outputLength: number;
  /** Weights then biases; empty for layers without parameters. */
  readonly parameters: readonly Float32Array[];
  readonly gradients: readonly Float32Array[];
  forward(input: Float32Array): Float32Array;
  /** Adds to `gradients`, returns the gradient with respect to the input of the last forward call. */
  backward(outputGradient: Float32Array): Float32Array;
}

/** He initialisation: uniform in ± sqrt(6 / fanIn). */
function drawWeights(length: number, fanIn: number, random: SeededRandom): Float32Array {
  const limit = Math.sqrt(6 / fanIn);
  return Float32Array.from({ length }, () => random.between(-limit, limit));
}

/** y[o] = Σ w[o, i]·x[i] + b[o]. */
export class Dense implements Layer {
  readonly weights: Float32Array;
  readonly biases: Float32Array;
  readonly gradients: readonly [Float32Array, Float32Array];
  #input: Float32Array = new Float32Array(0);
  readonly #output: Float32Array;
  readonly #inputGradient: Float32Array;

  constructor(
    readonly inputLength: number,
    readonly outputLength: number,
    random: SeededRandom,
  ) {
    this.weights = drawWeights(inputLength * outputLength, inputLength, random);
    this.biases = new Float32Array(outputLength);
    this.gradients = [new Float32Array(this.weights.length), new Float32Array(outputLength)];
    this.#output = new Float32Array(outputLength);
    this.#inputGradient = new Float32Array(inputLength);
  }

  get parameters(): readonly Float32Array[] {
    return [this.weights, this.biases];
  }

  forward(input: Float32Array): Float32Array {
    const { weights, inputLength } = this;
    this.#input = input;
    for (let o = 0; o < this.outputLength; o++) {
      let sum = this.biases[o]!;
      for (let i = 0, w = o * inputLength; i < inputLength; i++, w++) sum += weights[w]! * input[i]!;
      this.#output[o] = sum;
    }
    return this.#output;
  }

  backward(outputGradient: Float32Array): Float32Array {
    const { weights, inputLength } = this;
    const [weightGradient, biasGradient] = this.gradients;
    const inputGradient = this.#inputGradient.fill(0);
    for (let o = 0; o < this.outputLength; o++) {
      const g = outputGradient[o]!;
      if (g === 0) continue;
      biasGradient[o]! += g;
      for (let i = 0, w = o * inputLength; i < inputLength; i++, w++) {
        weightGradient[w]! += g * this.#input[i]!;
        inputGradient[i]! += g * weights[w]!;
      }
    }
    return inputGradient;
  }
}

/** Two-dimensional convolution, stride 1, no padding; tensors are channel, row, column. */
export class Convolution implements Layer {
  readonly outputHeight: number;
  readonly outputWidth: number;
  readonly outputLength: number;
  readonly weights: Float32Array;
  readonly biases: Float32Array;
  readonly gradients: readonly [Float32Array, Float32Array];
  #input: Float32Array = new Float32Array(0);
  readonly #output: Float32Array;
  readonly #inputGradient: Float32Array;

  constructor(
    readonly inputChannels: number,
    readonly inputHeight: number,
    readonly inputWidth: number,
    readonly outputChannels: number,
    readonly kernel: number,
    random: SeededRandom,
  ) {
    this.outputHeight = inputHeight - kernel + 1;
    this.outputWidth = inputWidth - kernel + 1;
    this.outputLength = outputChannels * this.outputHeight * this.outputWidth;
    const fanIn = inputChannels * kernel * kernel;
    this.weights = drawWeights(outputChannels * fanIn, fanIn, random);
    this.biases = new Float32Array(outputChannels);
    this.gradients = [new Float32Array(this.weights.length), new Float32Array(outputChannels)];
    this.#output = new Float32Array(this.outputLength);
    this.#inputGradient = new Float32Array(inputChannels * inputHeight * inputWidth);
  }

  get parameters(): readonly Float32Array[] {
    return [this.weights, this.biases];
  }

  forward(input: Float32Array): Float32Array {
    const { outputWidth, outputHeight, weights } = this;
    const output = this.#output;
    this.#input = input;
    const area = outputHeight * outputWidth;
    for (let o = 0; o < this.outputChannels; o++) output.fill(this.biases[o]!, o * area, (o + 1) * area);
    this.#eachTap((o, inputBase, w) => {
      const weight = weights[w]!;
      for (let y = 0; y < outputHeight; y++) {
        let to = o * area + y * outputWidth;
        let from = inputBase + y * this.inputWidth;
        for (let x = 0; x < outputWidth; x++) output[to++]! += weight * input[from++]!;
      }
    });
    return output;
  }

  backward(outputGradient: Float32Array): Float32Array {
    const { outputWidth, outputHeight, weights } = this;
    const [weightGradient, biasGradient] = this.gradients;
    const input = this.#input;
    const inputGradient = this.#inputGradient.fill(0);
    const area = outputHeight * outputWidth;
    for (let o = 0; o < this.outputChannels; o++) {
      let sum = 0;
      for (let i = o * area; i < (o + 1) * area; i++) sum += outputGradient[i]!;
      biasGradient[o]! += sum;
    }
    this.#eachTap((o, inputBase, w) => {
      const weight = weights[w]!;
      let sum = 0;
      for (let y = 0; y < outputHeight; y++) {
        let at = o * area + y * outputWidth;
        let from = inputBase + y * this.inputWidth;
        for (let x = 0; x < outputWidth; x++, at++, from++) {
          const g = outputGradient[at]!;
          sum += g * input[from]!;
          inputGradient[from]! += g * weight;
        }
      }
      weightGradient[w]! += sum;
    });
    return inputGradient;
  }

  /** Visits every weight with its output channel and the input offset that meets output (0, 0). */
  #eachTap(visit: (outputChannel: number, inputBase: number, weight: number) => void): void {
    const { kernel, inputChannels, inputHeight, inputWidth } = this;
    let w = 0;
    for (let o = 0; o < this.outputChannels; o++)
      for (let c = 0; c < inputChannels; c++)
        for (let ky = 0; ky < kernel; ky++)
          for (let kx = 0; kx < kernel; kx++) visit(o, (c * inputHeight + ky) * inputWidth + kx, w++);
  }
}

/** max(x, 0). */
export class Rectifier implements Layer {
  readonly parameters = [];
  readonly gradients = [];
  readonly #output: Float32Array;
  readonly #inputGradient: Float32Array;

  constructor(readonly outputLength: number) {
    this.#output = new Float32Array(outputLength);
    this.#inputGradient = new Float32Array(outputLength);
  }

  forward(input: Float32Array): Float32Array {
    for (let i = 0; i < input.length; i++) this.#output[i] = input[i]! > 0 ? input[i]! : 0;
    return this.#output;
  }

  backward(outputGradient: Float32Array): Float32Array {
    for (let i = 0; i < outputGradient.length; i++)
      this.#inputGradient[i] = this.#output[i]! > 0 ? outputGradient[i]! : 0;
    return this.#inputGradient;
  }
}

/** 2×2 maximum, stride 2; the first of equal values takes the gradient. */
export class MaxPool2 implements Layer {
  readonly parameters = [];
  readonly gradients = [];
  readonly outputLength: number;
  readonly #output: Float32Array;
  readonly #winners: Uint32Array;
  readonly #inputGradient: Float32Array;

  constructor(
    readonly channels: number,
    readonly inputHeight: number,
    readonly inputWidth: number,
  ) {
    this.outputLength = (channels * inputHeight * inputWidth) / 4;
    this.#output = new Float32Array(this.outputLength);
    this.#winners = new Uint32Array(this.outputLength);
    this.#inputGradient = new Float32Array(this.outputLength * 4);
  }

  forward(input: Float32Array): Float32Array {
    const { inputWidth } = this;
    let o = 0;
    for (let row = 0; row < this.channels * this.inputHeight; row += 2)
      for (let column = 0; column < inputWidth; column += 2, o++) {
        const corner = row * inputWidth + column;
        let winner = corner;
        for (const i of [corner + 1, corner + inputWidth, corner + inputWidth + 1])
          if (input[i]! > input[winner]!) winner = i;
        this.#winners[o] = winner;
        this.#output[o] = input[winner]!;
      }
    return this.#output;
  }

  backward(outputGradient: Float32Array): Float32Array {
    this.#inputGradient.fill(0);
    for (let o = 0; o < outputGradient.length; o++)
      this.#inputGradient[this.#winners[o]!] = outputGradient[o]!;
    return this.#inputGradient;
  }
}

/** Softmax cross-entropy gradient of the logits; returns the loss. */
export function crossEntropy(logits: Float32Array, label: number, gradient: Float32Array): number {
  const peak = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += gradient[i] = Math.exp(logits[i]! - peak);
  for (let i = 0; i < logits.length; i++) gradient[i]! /= sum;
  const loss = -Math.log(Math.max(gradient[label]!, 1e-12));
  gradient[label]! -= 1;
  return loss;
}

/** Index of the greatest value, the lowest on ties. */
export function argMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** Adam (Kingma & Ba 2015) with decoupled weight decay, over all parameters of `layers`. */
export class Adam {
  #step = 0;
  readonly #moments: { first: Float32Array; second: Float32Array }[][];

  constructor(
    readonly layers: readonly Layer[],
    readonly weightDecay: number,
  ) {
    this.#moments = layers.map((layer) =>
      layer.parameters.map((p) => ({
        first: new Float32Array(p.length),
        second: new Float32Array(p.length),
      })),
    );
  }

  /** Applies the gradients summed over `batchSize` samples and clears them. */
  update(learningRate: number, batchSize: number): void {
    this.#step++;
    const firstBias = 1 - 0.9 ** this.#step;
    const secondBias = 1 - 0.999 ** this.#step;
    this.layers.forEach((layer, l) =>
      layer.parameters.forEach((parameter, k) => {
        const gradient = layer.gradients[k]!;
        const { first, second } = this.#moments[l]![k]!;
        for (let i = 0; i < parameter.length; i++) {
          const g = gradient[i]! / batchSize;
          first[i] = 0.9 * first[i]! + 0.1 * g;
          second[i] = 0.999 * second[i]! + 0.001 * g * g;
          const step = first[i]! / firstBias / (Math.sqrt(second[i]! / secondBias) + 1e-8);
          parameter[i] = parameter[i]! - learningRate * (step + this.weightDecay * parameter[i]!);
        }
        gradient.fill(0);
      }),
    );
  }
}

export interface LabelledSample {
  readonly x: Float32Array;
  readonly label: number;
}

export function classify(layers: readonly Layer[], x: Float32Array): Float32Array {
  return layers.reduce((value, layer) => layer.forward(value), x);
}

export interface TrainingPlan {
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Called on every sample before it is seen. */
  readonly augment: (x: Float32Array) => Float32Array;
  readonly random: SeededRandom;
  readonly onEpoch: (epoch: number, meanLoss: number) => void;
}

/** Trains in place; the learning rate falls along half a cosine. */
export function train(
  layers: readonly Layer[],
  samples: readonly LabelledSample[],
  plan: TrainingPlan,
): void {
  const adam = new Adam(layers, plan.weightDecay);
  const order = samples.map((_, i) => i);
  const steps = plan.epochs * Math.ceil(samples.length / plan.batchSize);
  const gradient = new Float32Array(layers[layers.length - 1]!.outputLength);
  let step = 0;
  for (let epoch = 1; epoch <= plan.epochs; epoch++) {
    plan.random.shuffle(order);
    let loss = 0;
    for (let start = 0; start < order.length; start += plan.batchSize, step++) {
      const batch = order.slice(start, start + plan.batchSize);
      for (const i of batch) {
        const { x, label } = samples[i]!;
        loss += crossEntropy(classify(layers, plan.augment(x)), label, gradient);
        let back: Float32Array = gradient;
        for (let l = layers.length - 1; l >= 0; l--) back = layers[l]!.backward(back);
      }
      adam.update(plan.learningRate * 0.5 * (1 + Math.cos((Math.PI * step) / steps)), batch.length);
    }
    plan.onEpoch(epoch, loss / order.length);
  }
}
