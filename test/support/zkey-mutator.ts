import { writeG2 } from '../../prover/files/points.js';
import { ContainerMutator, type Section } from './container-mutator.js';
import { strayTwistPoints } from './native-operands.js';

export interface Forgery {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly message: RegExp;
}

/** Damaged copies of a good `.zkey`: structured (one field wrong), and random. */
export class ZkeyMutator extends ContainerMutator {
  private section(type: number): Section {
    return this.sections.find((s) => s.type === type)!;
  }

  private changed(at: number, bytes: ArrayLike<number>): Uint8Array {
    const out = new Uint8Array(this.good);
    out.set(bytes, at);
    return out;
  }

  private word(at: number, value: number): Uint8Array {
    return this.changed(at, new Uint8Array(Uint32Array.of(value).buffer));
  }

  forgeries(): Forgery[] {
    const at = (type: number, offset = 0): number => this.section(type).start + offset;
    const counts = 2 * 36;
    const points = counts + 12;
    const finite = (type: number, size: number): number => {
      const { start } = this.section(type);
      let i = 0;
      while (this.good.subarray(start + i * size, start + (i + 1) * size).every((b) => b === 0)) i++;
      return start + i * size;
    };
    const zeros = (n: number): Uint8Array => new Uint8Array(n);
    const slice = (from: number, n: number): Uint8Array => this.good.slice(from, from + n);
    const low = (offset: number): number[] => [this.good[offset] ^ 1];
    const forged = (name: string, bytes: Uint8Array, message: RegExp): Forgery => ({ name, bytes, message });
    return [
      forged('magic', this.changed(0, [0x78]), /magic/),
      forged('version', this.word(4, 2), /version/),
      forged('no sections', this.word(8, 0), /section count/),
      forged('too many sections', this.word(8, 65), /section count/),
      forged('a section more than there is', this.word(8, this.sections.length + 1), /length/),
      forged('bytes after the end', Uint8Array.of(...this.good, 0), /length/),
      forged('a section twice', this.word(this.section(6).header, 5), /section 5/),
      forged('a section missing', this.word(this.section(9).header, 77), /section 9/),
      forged('protocol', this.word(at(1), 2), /protocol/),
      forged('q', this.changed(at(2, 4), low(at(2, 4))), /prime/),
      forged('r', this.changed(at(2, 40), low(at(2, 40))), /prime/),
      forged('a huge wire count', this.word(at(2, counts), 0xffff_ffff), /wire count/),
      forged('a larger wire count', this.word(at(2, counts), 200), /section \d+ size/),
      forged('no wires', this.word(at(2, counts), 0), /wire count/),
      forged('public count', this.word(at(2, counts + 4), 0x7fff_ffff), /public count/),
      forged('domain not a power of two', this.word(at(2, counts + 8), 48), /domain size/),
      forged('a huge domain', this.word(at(2, counts + 8), 0x8000_0000), /domain size/),
      forged('domain zero', this.word(at(2, counts + 8), 0), /domain size/),
      forged('a smaller domain', this.word(at(2, counts + 8), 16), /size|row/),
      forged('alpha off the curve', this.changed(at(2, points), low(at(2, points))), /alpha/),
      forged('alpha infinite', this.changed(at(2, points), zeros(64)), /alpha/),
      forged('beta not canonical', this.changed(at(2, points + 128), new Uint8Array(32).fill(255)), /beta/),
      forged('gamma infinite', this.changed(at(2, points + 256), zeros(128)), /gamma/),
      forged(
        'delta equal to gamma',
        this.changed(at(2, points + 448), slice(at(2, points + 256), 128)),
        /delta/,
      ),
      forged('IC infinite', this.changed(at(3), zeros(64)), /IC/),
      forged('IC repeated', this.changed(at(3, 64), slice(at(3), 64)), /IC/),
      forged('coefficient count', this.word(at(4), 3), /section 4 size/),
      forged('coefficient matrix', this.word(at(4, 4), 2), /matrix/),
      forged('coefficient row', this.word(at(4, 8), 0xffff), /row/),
      forged('coefficient wire', this.word(at(4, 12), 0xffff_ffff), /wire/),
      forged('coefficient value', this.changed(at(4, 16), new Uint8Array(32).fill(255)), /coefficient value/),
      forged('A off the curve', this.changed(finite(5, 64), low(finite(5, 64))), /A: |A must/),
      forged('B1 not canonical', this.changed(at(6), new Uint8Array(32).fill(255)), /B1/),
      forged('B2 off the curve', this.changed(finite(7, 128), low(finite(7, 128))), /B2/),
      forged(
        'B2 outside the subgroup',
        this.changed(finite(7, 128), strayPointBytes()),
        /B2 must be points of order r/,
      ),
      forged('C off the curve', this.changed(finite(8, 64) + 32, low(finite(8, 64) + 32)), /C must/),
      forged('H infinite', this.changed(at(9, 64), zeros(64)), /H must/),
      ...this.sections.map(({ type, header, size }) =>
        forged(
          `section ${type} larger than the file`,
          this.changed(header + 4, new Uint8Array(BigUint64Array.of(BigInt(size) + (1n << 60n)).buffer)),
          /size/,
        ),
      ),
    ];
  }
}

/** A point of the twist that is not of order r, in file form. */
function strayPointBytes(): Uint8Array {
  const { x, y } = strayTwistPoints(1)[0].toAffine();
  const bytes = new Uint8Array(128);
  writeG2(bytes, 0, [
    [x.c0, x.c1],
    [y.c0, y.c1],
  ]);
  return bytes;
}
