// A clone of the recipes, worked in with git as a person would.

import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export class Clone {
  #folder;
  #home;

  /** Runs the line that the forge's page shows (`git clone …`), as `login`, in `home`. */
  static async make(command, home, login) {
    const words = command.trim().split(/\s+/);
    if (words.length !== 3 || words[0] !== "git" || words[1] !== "clone") {
      throw new Error("the page shows no line that clones");
    }
    const clone = new Clone();
    clone.#home = home;
    clone.#folder = join(home, login);
    await clone.#git(home, "clone", "--quiet", words[2], clone.#folder);
    await clone.git("config", "user.name", login);
    await clone.git("config", "user.email", `${login}@snekbook.invalid`);
    return clone;
  }

  /** Runs git in the clone; returns what it prints. */
  git(...words) {
    return this.#git(this.#folder, ...words);
  }

  async #git(folder, ...words) {
    const env = {
      PATH: process.env.PATH,
      HOME: this.#home,
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_TERMINAL_PROMPT: "0",
      LC_ALL: "C",
    };
    try {
      const { stdout } = await run("git", words, { cwd: folder, env });
      return stdout.trim();
    } catch (error) {
      // The command itself may have a token in it.
      throw new Error(`git ${words[0]} failed: ${error.stderr ?? error.code}`);
    }
  }

  /** Begins a branch at the newest commit of the forge's `main`. */
  async begin(branch) {
    await this.git("fetch", "--quiet", "origin");
    await this.git("switch", "--quiet", "--no-track", "-c", branch, "origin/main");
  }

  /** Goes on at the newest commit of the forge's `main`. */
  async goOn() {
    await this.git("switch", "--quiet", "main");
    await this.git("pull", "--quiet", "--ff-only", "origin", "main");
  }

  /** Replaces text in a recipe, commits, and pushes the branch; returns the commit. */
  async push(recipe, subject, ...replacements) {
    const path = join(this.#folder, recipe, "stone.yaml");
    let text = await readFile(path, "utf8");
    for (const [old, replacement] of replacements) {
      if (!old.test(text)) throw new Error(`${recipe}/stone.yaml has no ${old}`);
      text = text.replace(old, replacement);
    }
    await writeFile(path, text);
    await this.git("commit", "--quiet", "--all", "--message", subject);
    await this.git("push", "--quiet", "--set-upstream", "origin", "HEAD");
    return this.git("rev-parse", "HEAD");
  }

  /** The number of the first line of a recipe that has `words` in it. */
  async lineOf(recipe, words) {
    const text = await readFile(join(this.#folder, recipe, "stone.yaml"), "utf8");
    return text.split("\n").findIndex((line) => line.includes(words)) + 1;
  }
}
