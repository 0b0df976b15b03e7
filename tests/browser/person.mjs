// Somebody with a browser of their own. Every page that they come to is looked at in both widths;
// what is wrong with one is kept, and ends the walk with an error once all of it is seen.

import { stat } from "node:fs/promises";
import { join } from "node:path";

import { within } from "./wait.mjs";

// A phone and a desk, in pixels.
const WIDTHS = [390, 1280];
const HEIGHT = 800;
// How long a check run may take to show what is awaited, in milliseconds.
const PATIENCE = 180_000;
// As large as a picture may be, in bytes: all of them are in every clone.
const MAX_PICTURE = 150 * 1024;

export class Person {
  /** Opens a browser window of nobody yet. */
  static async open({ browser, home, faults, pictures }) {
    const person = new Person();
    Object.assign(person, { home, faults, pictures });
    person.seen = 0;
    const viewport = { width: WIDTHS[1], height: HEIGHT };
    person.context = await browser.newContext({ viewport, colorScheme: "light" });
    person.page = await person.context.newPage();
    person.#listen();
    return person;
  }

  #listen() {
    const told = (what) => this.faults.push(`${this.page.url()}: ${what}`);
    this.page.on("console", (message) => {
      if (message.type() === "error") told(`the console says: ${message.text()}`);
    });
    this.page.on("pageerror", (error) => told(`a script fails: ${error.message}`));
    this.page.on("response", (response) => {
      if (response.status() >= 400) told(`${response.url()} answers ${response.status()}`);
    });
    this.page.on("requestfailed", (request) => {
      told(`${request.url()} does not load: ${request.failure()?.errorText}`);
    });
  }

  /** Opens an address; one without a host is the forge's. */
  async go(address) {
    await this.page.goto(new URL(address, this.home).href);
    await this.look();
  }

  /** Follows the link of these words. */
  async follow(words, place = this.page) {
    const link = place.getByRole("link", { name: words, exact: true }).first();
    await this.#leave(() => link.click());
  }

  /** Presses the button of these words. */
  async press(words, place = this.page) {
    const button = place.getByRole("button", { name: words, exact: true });
    await this.#leave(() => button.click());
  }

  async #leave(act) {
    await Promise.all([this.page.waitForEvent("load"), act()]);
    await this.look();
  }

  /** Looks at the page in both widths. */
  async look() {
    this.seen += 1;
    for (const width of WIDTHS) {
      await this.page.setViewportSize({ width, height: HEIGHT });
      for (const fault of await this.page.evaluate(faultsOfPage)) {
        this.faults.push(`${this.page.url()} at ${width} px: ${fault}`);
      }
    }
  }

  /** Loads the page again until something in `place` says `words`. */
  async until(words, place = "main") {
    const look = async () => {
      if ((await this.#text(place)).includes(words)) return true;
      await this.page.reload();
      return false;
    };
    const what = `"${words}" in ${place} of ${this.page.url()}`;
    await within(PATIENCE, what, () => this.#text("main"), look);
    await this.look();
  }

  /** Fails unless something in `place` says `words`. */
  async read(words, place = "main") {
    if ((await this.#text(place)).includes(words)) return;
    const text = await this.#text("body");
    throw new Error(`no "${words}" in ${place} of ${this.page.url()}, but:\n${text}`);
  }

  /** Fails if there is a button of these words. */
  async lacks(words) {
    const count = await this.page.getByRole("button", { name: words, exact: true }).count();
    if (count) throw new Error(`${this.page.url()} has the button ${words}`);
  }

  async #text(place) {
    return (await this.page.locator(place).allInnerTexts()).join("\n");
  }

  /** Signs in as one of the people that the forge is configured with. */
  async signIn(login) {
    await this.go("/");
    await this.follow("Sign in", this.page.getByRole("banner"));
    await this.page.getByLabel("You are").selectOption(login);
    const byName = this.page.locator("form", { has: this.page.getByLabel("You are") });
    await this.press("Sign in", byName);
    await this.read(`Signed in as ${login}`, "header");
  }

  /** Comes from the page of branches to the form for a pull request from one of them. */
  async openPull(branches, branch) {
    await this.go(branches);
    await this.follow("Open a pull request", this.page.locator("ul.list li", { hasText: branch }));
    const chosen = await this.page.getByLabel("From").inputValue();
    if (chosen.split(":").pop() !== branch) throw new Error(`${chosen} is chosen, not ${branch}`);
  }

  /** Keeps a picture of what is in sight, `width` by `height` pixels, from `place` on if given. */
  async picture(name, [width, height], place) {
    if (!this.pictures) return;
    await this.page.setViewportSize({ width, height });
    if (place) await this.page.locator(place).first().evaluate((it) => it.scrollIntoView());
    const path = join(this.pictures, `${name}.png`);
    await this.page.screenshot({ path });
    const { size } = await stat(path);
    if (size > MAX_PICTURE) this.faults.push(`${path} has ${size} bytes, more than ${MAX_PICTURE}`);
  }
}

/** Runs in the page. */
function faultsOfPage() {
  const faults = [];
  const { scrollWidth } = document.documentElement;
  if (scrollWidth > innerWidth) {
    const wide = [...document.querySelectorAll("body *")].filter((element) => {
      const scrolls = element.closest("pre, .scroll, .tabs");
      return !scrolls && element.getBoundingClientRect().right > innerWidth + 1;
    });
    const names = wide.slice(0, 3).map((element) => element.outerHTML.slice(0, 120));
    faults.push(`it is ${scrollWidth} px wide, for: ${names.join(" | ")}`);
  }
  const headings = [...document.querySelectorAll("h1")];
  if (headings.length !== 1) faults.push(`it has ${headings.length} h1`);
  if (headings.some((heading) => !heading.innerText.trim())) faults.push("its h1 is empty");
  if (!document.title.trim()) faults.push("it has no title");
  return faults;
}
