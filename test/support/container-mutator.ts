import type { Random } from './random.js';

export interface Section {
  readonly type: number;
  readonly header: number;
  readonly start: number;
  readonly size: number;
}

/** Randomly damaged copies of a good container file: what storage and attackers do. */
export class ContainerMutator {
  protected readonly sections: readonly Section[];

  constructor(protected readonly good: Uint8Array) {
    const words = new DataView(good.buffer, good.byteOffset, good.byteLength);
    const sections: Section[] = [];
    for (let at = 12; at < good.length;) {
      const size = Number(words.getBigUint64(at + 4, true));
      sections.push({ type: words.getUint32(at, true), header: at, start: at + 12, size });
      at += 12 + size;
    }
    this.sections = sections;
  }

  /** One random damage of one to three places. */
  mutant(draw: Random): Uint8Array<ArrayBuffer> {
    let bytes = new Uint8Array(this.good);
    for (let i = draw.below(3); i >= 0; i--) bytes = this.damage(bytes, draw);
    return bytes;
  }

  private damage(bytes: Uint8Array<ArrayBuffer>, draw: Random): Uint8Array<ArrayBuffer> {
    const at = draw.below(Math.max(1, bytes.length));
    const { header, start, size } = draw.pick(this.sections);
    switch (draw.below(8)) {
      case 0:
        return bytes.slice(0, at);
      case 1: {
        const out = new Uint8Array(bytes.length + 1 + draw.below(64));
        out.set(bytes);
        return out;
      }
      case 2: // a header field
        bytes[Math.min(bytes.length - 1, header + draw.below(12))] = draw.uint32() & 255;
        return bytes;
      case 3: // an interesting word anywhere in a section's first bytes
        if (bytes.length < 4) return bytes;
        bytes.set(
          new Uint8Array(Uint32Array.of(draw.pick([0, 1, 2, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])).buffer),
          Math.max(0, Math.min(bytes.length - 4, start + draw.below(Math.max(1, Math.min(size, 700))))),
        );
        return bytes;
      case 4: // two parts swapped
        bytes.copyWithin(at, draw.below(Math.max(1, bytes.length)), bytes.length);
        return bytes;
      case 5:
        return bytes.length < 2
          ? bytes
          : Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + 1)]);
      default:
        if (bytes.length > 0) bytes[at] ^= 1 << draw.below(8);
        return bytes;
    }
  }
}
