// What docs/trying.md describes, by the forge's forms in a real browser. `cargo xtask browser`
// starts it with everything that it takes.

import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { Line } from "./line.mjs";
import * as packager from "./packager.mjs";
import { Person } from "./person.mjs";
import * as visitor from "./visitor.mjs";

const text = { type: "string" };
const { values: options } = parseArgs({
  options: { line: text, chromium: text, modules: text, pictures: text },
});

// What the project's pages do not need is off: Chromium's own calls to its maker.
const FLAGS = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const STEPS = [
  ["a stranger looks", packager.lookAsNobody],
  ["the packager signs in and finds the samples published", packager.findSamples],
  ["a new release is pushed and published", packager.release],
  ["a broken recipe is pushed, and told of on its line", packager.breakRecipe],
  ["it is mended and published", packager.mend],
  ["a branch is pushed, and a pull request opened from it", packager.propose],
  ["/rebuild is said", packager.rebuild],
  ["Re-run is pressed", packager.rerun],
  ["the pull request is merged and published", packager.merge],
  ["one who may only read forks", visitor.fork],
  ["and opens a pull request, which is held for approval", visitor.propose],
  ["the line is stopped and started: all is still there", startAgain],
];

/** Everything that the steps share. */
class Walk {
  faults = [];
  people = [];
  pictures = options.pictures;

  async begin() {
    this.folder = await mkdtemp(join(tmpdir(), "snekbook-browser-"));
    // Builds run as another user, and pass through it.
    await chmod(this.folder, 0o711);
    if (this.pictures) await mkdir(this.pictures, { recursive: true });
    const { chromium } = createRequire(join(options.modules, "package.json"))("playwright-core");
    this.browser = await chromium.launch({
      executablePath: options.chromium,
      // The walk ends it; by itself it would end the walk before that has stopped the line.
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
      args: process.getuid() === 0 ? [...FLAGS, "--no-sandbox"] : FLAGS,
    });
    await this.startLine();
  }

  async startLine() {
    if (this.isOver) throw new Error("the walk is over");
    this.line = new Line(options.line, join(this.folder, "data"));
    await this.line.serve();
    const forge = new URL(this.line.state.urls.forge);
    this.home = forge.origin;
    this.repository = forge.pathname.replace(/\/$/, "");
  }

  async stopLine() {
    const line = this.line;
    this.line = undefined;
    await line?.stop();
  }

  /** A browser of somebody new. */
  async open() {
    const person = await Person.open(this);
    this.people.push(person);
    return person;
  }

  async end() {
    this.isOver = true;
    await this.browser?.close().catch(() => {});
    try {
      await this.stopLine();
    } finally {
      if (this.folder) await rm(this.folder, { recursive: true, force: true });
    }
  }
}

async function startAgain(walk) {
  const before = walk.line.state;
  await walk.stopLine();
  await walk.startLine();
  for (const name of ["urls", "people", "clone", "data"]) {
    const [then, now] = [before, walk.line.state].map((state) => JSON.stringify(state[name]));
    if (then !== now) throw new Error(`${name} changed from ${then} to ${now}`);
  }
  await packager.findAgain(walk);
  await visitor.findAgain(walk);
}

async function main() {
  const walk = new Walk();
  let interrupt;
  const interrupted = new Promise((_, reject) => {
    interrupt = () => reject(new Error("interrupted"));
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, interrupt);
  });
  interrupted.catch(() => {});
  const steps = async () => {
    await walk.begin();
    for (const [name, step] of STEPS) {
      const begun = Date.now();
      await step(walk);
      console.log(`${((Date.now() - begun) / 1000).toFixed(1).padStart(6)} s  ${name}`);
    }
  };
  try {
    await Promise.race([steps(), interrupted]);
  } finally {
    await walk.end();
    tell(walk);
  }
}

/** Says how much was seen, and what was wrong with it: also where the walk broke off for it. */
function tell(walk) {
  const seen = walk.people.reduce((sum, person) => sum + person.seen, 0);
  console.log(`${seen} pages looked at, each 390 px and 1280 px wide`);
  const faults = [...new Set(walk.faults)];
  for (const fault of faults) console.log(` fault: ${fault}`);
  if (faults.length) process.exitCode = 1;
}

try {
  await main();
} catch (error) {
  console.error(`error: ${error.stack ?? error}`);
  process.exitCode = 1;
}
