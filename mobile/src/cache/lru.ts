/** A map of bounded size in bytes that evicts the entry used least recently. */
export class ByteLru<V> {
  private readonly entries = new Map<string, { value: V; bytes: number }>();
  private total = 0;

  constructor(readonly maxBytes: number) {}

  get bytes(): number {
    return this.total;
  }

  get size(): number {
    return this.entries.size;
  }

  /** Return the value and mark it as used. */
  get(key: string): V | undefined {
    const entry = this.entries.get(key);
    if (entry === undefined) return undefined;
    this.entries.delete(key);
    this.entries.set(key, entry);
    return entry.value;
  }

  /** Store a value of `bytes`; return the keys evicted for it. A value above the bound is not stored. */
  set(key: string, value: V, bytes: number): string[] {
    this.delete(key);
    if (bytes > this.maxBytes) return [];
    this.entries.set(key, { value, bytes });
    this.total += bytes;
    const evicted: string[] = [];
    for (const oldest of this.entries.keys()) {
      if (this.total <= this.maxBytes) break;
      this.delete(oldest);
      evicted.push(oldest);
    }
    return evicted;
  }

  delete(key: string): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    this.total -= entry.bytes;
  }

  /** Size of an entry, in bytes; 0 for an absent one. */
  bytesOf(key: string): number {
    return this.entries.get(key)?.bytes ?? 0;
  }

  clear(): void {
    this.entries.clear();
    this.total = 0;
  }

  /** Keys, the least recently used first. */
  keys(): string[] {
    return [...this.entries.keys()];
  }
}

/** Size of a string in UTF-8, in bytes; what AsyncStorage's SQLite on Android stores. */
export function utf8Bytes(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7ff) bytes += 2;
    else if (code > 0x7f) bytes += 1;
    // A surrogate pair is two units and four bytes: 2 + 2 * 1.
    if (code >= 0xd800 && code <= 0xdfff) bytes -= 1;
  }
  return bytes;
}
