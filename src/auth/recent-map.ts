/** A map that makes its values and forgets the least recently used beyond its size: what strangers fill is bounded. */
export class RecentMap<Value> {
  readonly #values = new Map<string, Value>();
  readonly #make: () => Value;
  readonly #sizeMax: number;

  constructor(sizeMax: number, make: () => Value) {
    this.#sizeMax = sizeMax;
    this.#make = make;
  }

  get(key: string): Value {
    const value = this.#values.get(key) ?? this.#make();
    this.#values.delete(key);
    this.#values.set(key, value);
    const [oldest] = this.#values.keys();
    if (this.#values.size > this.#sizeMax && oldest !== undefined) this.#values.delete(oldest);
    return value;
  }
}
