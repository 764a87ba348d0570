/** A BSON ObjectId, 24 hexadecimal digits. */
export interface ObjectId {
  $oid: string;
}

/** A 64-bit integer. Answers have this form only beyond `Number.MAX_SAFE_INTEGER`, which a number cannot hold. */
export interface Long {
  $numberLong: string;
}

/** A 32-bit integer. Only canonical exports have this form. */
export interface Int {
  $numberInt: string;
}

/** A double. Answers have this form for `NaN`, `Infinity` and `-Infinity`, canonical exports for all doubles. */
export interface Double {
  $numberDouble: string;
}

/** A decimal number of 34 digits. */
export interface Decimal {
  $numberDecimal: string;
}

/** A point in time, to the millisecond: RFC 3339 or, before 1970, after 9999 and in canonical exports, milliseconds. */
export interface DateTime {
  $date: string | Long;
}

/** Bytes. */
export interface Binary {
  $binary: { base64: string; subType: string };
}

type Value = ObjectId | Long | Int | Double | Decimal | DateTime | Binary;

/** What can be written where T is read: T itself, and a `Date`, a `bigint` or a `Uint8Array` in place of the form they have in T. */
export type Writable<T> = T extends DateTime
  ? T | Date
  : T extends Long
    ? T | bigint
    : T extends Binary
      ? T | Uint8Array
      : T extends object
        ? { [K in keyof T]: Writable<T[K]> }
        : T;

/** A merge patch (RFC 7396) of T: its values replace those of the same names, objects are merged, `null` removes. */
export type Patch<T> = T extends Value | readonly unknown[]
  ? Writable<T>
  : T extends object
    ? { [K in keyof T]?: Patch<T[K]> | null }
    : T;

/** Reads a date. */
export function dateOf({ $date }: DateTime): Date {
  return new Date(typeof $date === 'string' ? $date : Number($date.$numberLong));
}

/** Reads an integer, however large. */
export function bigintOf(value: number | Long | Int): bigint {
  if (typeof value === 'number') return BigInt(value);
  return BigInt('$numberLong' in value ? value.$numberLong : value.$numberInt);
}

/** Reads bytes. */
export function bytesOf({ $binary }: Binary): Uint8Array {
  return Uint8Array.from(atob($binary.base64), (c) => c.charCodeAt(0));
}

/**
 * Writes Extended JSON: a value that JSON has no form for, or would change, is written in the contract's form. A value
 * without such a form is refused with a TypeError, which does not show the value.
 */
export function stringify(value: unknown): string {
  return JSON.stringify(value, encode);
}

function encode(this: unknown, key: string, value: unknown): unknown {
  switch (typeof value) {
    case 'number':
      return encodeNumber(value);
    case 'bigint':
      if (BigInt.asIntN(64, value) !== value) throw new TypeError('orgd: an integer has more than 64 bits');
      return { $numberLong: String(value) };
    case 'function':
    case 'symbol':
      throw new TypeError(`orgd: a ${typeof value} cannot be sent`);
  }
  const given = (this as Record<string, unknown>)[key]; // the value before its toJSON
  return typeof given === 'object' && given !== null ? encodeObject(given, value) : value;
}

function encodeNumber(value: number): unknown {
  if (Number.isInteger(value) ? Number.isSafeInteger(value) && !Object.is(value, -0) : Number.isFinite(value)) return value;
  return { $numberDouble: Object.is(value, -0) ? '-0.0' : String(value) }; // written as an integer, it would be stored as one
}

const noForm = /^(Map|Set|WeakMap|WeakSet|RegExp|Promise|ArrayBuffer|SharedArrayBuffer|DataView|.*Array)$/;

/** Tells objects apart by their tags, which objects of another realm, and Buffers, have too. */
function encodeObject(given: object, value: unknown): unknown {
  if (Array.isArray(given)) return value;
  const tag = Object.prototype.toString.call(given).slice(8, -1);
  if (tag === 'Date') {
    const time = Number(given);
    if (Number.isNaN(time)) throw new TypeError('orgd: a Date is not valid');
    return { $date: { $numberLong: String(time) } };
  }
  if (tag === 'Uint8Array') return { $binary: { base64: base64(given as Uint8Array), subType: '00' } };
  if (value === given && noForm.test(tag)) throw new TypeError(`orgd: JSON has no form for a ${tag}`);
  return value;
}

function base64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}
