// What somebody does who may only read: a fork, and a pull request from it.

import { Clone } from "./clone.mjs";

const NAME = "visitor";
const BRANCH = "whisper";
const TITLE = "sneksay: Whisper";
const HELD = "1 recipe waits for approval";

export async function fork(walk) {
  const person = (walk.visitor = await walk.open());
  await person.signIn(NAME);
  await person.go(walk.pull);
  await person.lacks("Merge");
  await person.lacks("Re-run");
  await person.go(walk.repository);
  await person.press("Fork");
  await person.read(`forked from ${walk.repository.slice(1)}`, ".repository");
  const command = await person.page.locator("section.clone pre").innerText();
  walk.fork = new URL(person.page.url()).pathname;
  walk.forkClone = await Clone.make(command, walk.folder, NAME);
}

export async function propose(walk) {
  const person = walk.visitor;
  await walk.forkClone.begin(BRANCH);
  const summary = [/^summary .*$/m, "summary     : A snake whispers it"];
  await walk.forkClone.push("sneksay", TITLE, summary);
  await person.openPull(`${walk.fork}/branches`, BRANCH);
  await person.page.getByLabel("Title").fill(TITLE);
  await person.press("Open pull request");
  walk.forkPull = new URL(person.page.url()).pathname;
  if (!walk.forkPull.startsWith(`${walk.repository}/pull/`)) {
    throw new Error(`the pull request is at ${walk.forkPull}`);
  }
  await person.until(HELD);
  await person.read("action required", "section.run");
  await person.lacks("Merge");
  await person.picture("held-on-a-phone", [390, 780]);
  // The people who may write see it too.
  await walk.packager.go(`${walk.repository}/pulls`);
  await walk.packager.follow(TITLE);
  await walk.packager.read(HELD);
}

/** After a start on the same data. */
export async function findAgain(walk) {
  const person = await walk.open();
  await person.signIn(NAME);
  await person.go(walk.forkPull);
  await person.read(HELD);
  await person.read("open", "main .badge");
  await person.go(walk.fork);
  await person.read("forked from", ".repository");
}
