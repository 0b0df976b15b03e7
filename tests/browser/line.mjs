// `snekbook-dev` as a process: what it prints, what it says, and its end.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

import { within } from "./wait.mjs";

// How long a line may take to say what is awaited, and to end, in milliseconds.
const PATIENCE = 300_000;
const END = 60_000;

/** One that runs from when it is made until `stop`. */
export class Line {
  #child;
  #ended;
  // What it has said on its standard error, and who waits for more of it.
  #said = [];
  #listeners = new Set();

  constructor(program, data) {
    const output = ["ignore", "pipe", "pipe"];
    // A group of its own: Ctrl-C in the terminal is for the walk, which ends the line in order.
    this.#child = spawn(program, ["--json", "--data", data], { stdio: output, detached: true });
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (status, signal) => resolve(status ?? signal));
    });
    this.#ended.catch(() => {});
    this.printed = "";
    this.#child.stdout.setEncoding("utf8").on("data", (text) => (this.printed += text));
    createInterface(this.#child.stderr).on("line", (text) => {
      this.#said.push(text);
      for (const listener of [...this.#listeners]) listener(text);
    });
  }

  /** Waits until it serves. Its end state is `state` from then on. */
  async serve() {
    await this.hear("Serving until Ctrl-C.");
    // It prints before it says that it serves; the other pipe may be read a moment later.
    const whole = () => this.printed.endsWith("\n}\n");
    await within(END, "the whole end state", () => this.printed, whole);
    this.state = JSON.parse(this.printed);
    if (!this.state.published) throw new Error(`not all is published: ${this.state.reason}`);
  }

  /** Waits until it says, or has said, a line with `words` in it. */
  async hear(words) {
    const said = this.#said.find((text) => text.includes(words));
    if (said) return said;
    let listener;
    let timer;
    const heard = new Promise((resolve, reject) => {
      listener = (text) => text.includes(words) && resolve(text);
      this.#listeners.add(listener);
      const late = `not said in ${PATIENCE / 1000} s: ${words}`;
      timer = setTimeout(() => reject(new Error(`${late}\n${this.seen()}`)), PATIENCE);
    });
    const ended = this.#ended.then((status) => {
      throw new Error(`snekbook-dev ended (${status}) before it said: ${words}\n${this.seen()}`);
    });
    try {
      return await Promise.race([heard, ended]);
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(listener);
    }
  }

  /** All that it has said, for an error. */
  seen() {
    return this.#said.map((text) => `    | ${text}`).join("\n");
  }

  /** Does what Ctrl-C does, and waits for the end. */
  async stop() {
    this.#child.kill("SIGINT");
    const late = setTimeout(() => this.#child.kill("SIGKILL"), END);
    const status = await this.#ended;
    clearTimeout(late);
    if (status !== 0) throw new Error(`snekbook-dev ended with ${status}:\n${this.seen()}`);
  }
}
