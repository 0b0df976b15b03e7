// What the packager does: pushes, a pull request, and its merge.

import { Clone } from "./clone.mjs";

const NAME = "packager";
const BRANCH = "gentler-summary";
const TITLE = "sneksay: Say it more gently";

/** The part of a page that tells of a check run. */
export const run = (name) => `section.run:has(h3:has-text("build ${name}"))`;

export async function lookAsNobody(walk) {
  const person = await walk.open();
  await person.go("/");
  await person.follow(walk.repository.slice(1));
  await person.read("git clone", "section.clone");
  await person.follow("Sign in", person.page.locator("section.clone"));
  await person.read("You are");
}

export async function findSamples(walk) {
  const person = (walk.packager = await walk.open());
  await person.signIn(NAME);
  await person.follow(walk.repository.slice(1));
  for (const recipe of ["snekcoil", "sneksay"]) await person.until(`build ${recipe}`, "ul.runs");
  await person.read("Published", "ul.runs");
  await person.follow("build sneksay");
  for (const recipe of ["snekcoil", "sneksay"]) await published(person, recipe);
  for (const tab of ["Code", "Commits", "Branches", "Pull requests"]) {
    await person.page.locator("nav.tabs").getByRole("link", { name: tab }).click();
    await person.look();
  }
  await person.follow("Tokens");
  await person.go(`${walk.repository}/tree/main/snekcoil`);
  await person.follow("stone.yaml");
  await person.read("name        : snekcoil");
  await lookAtServices(walk, person);

  await person.go(walk.repository);
  const command = await person.page.locator("section.clone pre").innerText();
  walk.clone = await Clone.make(command, walk.folder, NAME);
}

async function lookAtServices(walk, person) {
  const { urls, builds } = walk.line.state;
  for (const address of [urls.summit, urls.vessel, builds[0].url]) await person.go(address);
}

/** Opens a commit, and waits until a recipe of it is published. */
async function published(person, recipe) {
  await person.until("Published", run(recipe));
  await person.read("success", run(recipe));
}

const show = (walk, commit) => walk.packager.go(`${walk.repository}/commit/${commit}`);

const released = (release) => [/^release .*$/m, `release     : ${release}`];

export async function release(walk) {
  const person = walk.packager;
  const commit = await walk.clone.push("snekcoil", "snekcoil: Build it anew", released(2));
  await walk.line.hear("published  snekcoil 1.0.0-2");
  await show(walk, commit);
  await published(person, "snekcoil");
}

export async function breakRecipe(walk) {
  const person = walk.packager;
  const typo = [/%make check/, "%mkae check"];
  const commit = await walk.clone.push("sneksay", "sneksay: Build it anew", released(2), typo);
  const line = await walk.clone.lineOf("sneksay", "%mkae");
  await show(walk, commit);
  await person.until("failure", run("sneksay"));
  await person.read(`sneksay/stone.yaml:${line}`, `${run("sneksay")} .annotations`);
  // In the difference it stands below the line that it is about.
  await person.read("mkae", 'tr:has(td:has-text("%mkae check")) + tr.remark');
  await person.picture("finding", [1280, 620], "#difference");
  await person.follow(`sneksay/stone.yaml:${line}`);
  await person.read("%mkae", `tr#L${line}`);
  await show(walk, commit);
  await person.follow("Details", person.page.locator(run("sneksay")));
  await person.read(`sneksay/stone.yaml:${line}`);
}

export async function mend(walk) {
  const typo = [/%mkae check/, "%make check"];
  const commit = await walk.clone.push("sneksay", "sneksay: Mend the build", typo);
  await walk.line.hear("published  sneksay 2.1.0-2");
  await show(walk, commit);
  await published(walk.packager, "sneksay");
}

export async function propose(walk) {
  const person = walk.packager;
  await walk.clone.begin(BRANCH);
  const summary = [/^summary .*$/m, "summary     : A snake says it gently"];
  walk.head = await walk.clone.push("sneksay", TITLE, released(3), summary);
  await person.openPull(`${walk.repository}/branches`, BRANCH);
  await person.page.getByLabel("Title").fill(TITLE);
  const said = "The summary was **loud**.\n\n- [x] release raised\n- [ ] looked at";
  await person.page.getByLabel("Description").fill(said);
  await person.press("Open pull request");
  await person.read(TITLE, "h1");
  walk.pull = new URL(person.page.url()).pathname;
  await person.until("success", run("sneksay"));
  for (const part of ["Commits", "Files changed"]) {
    await person.follow(part, person.page.locator("nav.parts"));
    await person.read(part === "Commits" ? TITLE : "A snake says it gently");
  }
}

/** The id of the check run that the page tells of. */
const runId = (person) => person.page.locator(run("sneksay")).first().getAttribute("id");

/** Waits until another run than `old` has succeeded. */
async function builtAgain(person, old) {
  await person.until("success", `${run("sneksay")}:not(#${old})`);
}

export async function rebuild(walk) {
  const person = walk.packager;
  await person.go(walk.pull);
  const old = await runId(person);
  await person.page.getByLabel("Add a comment").fill("/rebuild sneksay");
  await person.press("Comment");
  await person.until("🚀", "section.comment:has-text('/rebuild')");
  await builtAgain(person, old);
}

export async function rerun(walk) {
  const person = walk.packager;
  const old = await runId(person);
  await person.press("Re-run", person.page.locator(run("sneksay")));
  await builtAgain(person, old);
  await person.go(walk.pull);
  await person.picture("pull-request", [1280, 960]);
}

export async function merge(walk) {
  const person = walk.packager;
  await person.press("Merge");
  await person.read("merged it", "section.merge");
  await walk.line.hear("published  sneksay 2.1.0-3");
  await person.go(walk.repository);
  await person.until("Published", 'ul.runs li:has-text("build sneksay")');
  await person.follow("build sneksay");
  await lookAtServices(walk, person);
}

/** After a start on the same data. */
export async function findAgain(walk) {
  // The old browser has a cookie of before.
  await walk.packager.go("/");
  const person = (walk.packager = await walk.open());
  await person.signIn(NAME);
  await person.go(walk.pull);
  await person.read("merged it", "section.merge");
  await person.read("/rebuild", "section.comment");
  await person.read("success", run("sneksay"));
  await person.go(walk.repository);
  await person.read("Published", 'ul.runs li:has-text("build sneksay")');
  await walk.clone.goOn();
  const commit = await walk.clone.push("snekcoil", "snekcoil: Once more", released(3));
  await walk.line.hear("published  snekcoil 1.0.0-3");
  await show(walk, commit);
  await published(person, "snekcoil");
}
