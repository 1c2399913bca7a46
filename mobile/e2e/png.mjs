/** A gray PNG of a pattern that does not compress well. */
import { crc32, deflateSync } from 'node:zlib';

export function png(width, height) {
  const rows = Buffer.alloc((width + 1) * height);
  let seed = 1;
  for (let i = 0; i < rows.length; i++) {
    seed = (seed * 48271) % 2147483647;
    rows[i] = i % (width + 1) === 0 ? 0 : (seed & 31) + ((i % (width + 1)) * 200) / width;
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head[8] = 8;
  const parts = [chunk('IHDR', head), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))];
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), ...parts]);
}

function chunk(kind, data) {
  const body = Buffer.concat([Buffer.from(kind), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const check = Buffer.alloc(4);
  check.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, check]);
}
