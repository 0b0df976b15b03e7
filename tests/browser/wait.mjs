// Waiting for what other processes do.

import { setTimeout as pause } from "node:timers/promises";

// How often a condition is looked at that nothing announces, in milliseconds.
const PACE = 250;

/**
 * Waits until `look` gives something, for `limit` milliseconds at most, and returns it. `seen`
 * tells what there is instead.
 */
export async function within(limit, what, seen, look) {
  const end = Date.now() + limit;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) {
      throw new Error(`waited ${limit / 1000} s for ${what}, and saw:\n${await seen()}`);
    }
    await pause(PACE);
  }
}
