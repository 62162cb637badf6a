// From the commands on the settings page to a site that is live: `git push` with the real Git.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { promisify } from "node:util";
import { begin, chapters, gitUrl, look, newProject, open, url, watched } from "./support.mjs";

const run = promisify(execFile);
const BUILD = 180_000;
const settings = `${url}/dashboard/projects/by-git/settings`;
let browser, page, key, work;

before(async () => {
  work = fs.mkdtempSync(path.join(os.tmpdir(), "orbitra-push-"));
  browser = await open({ permissions: ["clipboard-write"] });
  page = await watched(browser.context, { expected: [422] });
  await begin(page);
});
after(async () => {
  await browser?.close();
  fs.rmSync(work, { recursive: true, force: true });
});

const test = chapters(BUILD);

const text = async (selector) => (await page.locator(selector).innerText()).replace(/\s+/g, " ");
const git = (...words) => run("git", ["-C", work, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", ...words], {
  env: { ...process.env, GIT_TERMINAL_PROMPT: "0", GIT_CONFIG_GLOBAL: "/dev/null", LC_ALL: "C" },
});

test("the settings show the commands", async () => {
  await newProject(page, "node-hello", { name: "by-git" });
  await page.goto(settings);
  assert.match(await text("#git-push"), /git remote add orbitra http:\/\/localhost:\d+\/git\/by-git\.git/);
  assert.match(await text("#git-push"), /Any user name, and as the password an API key/);
  await page.click("#copy-remote");
  await page.goto(`${url}/dashboard/account/keys`);
  await page.fill("#name", "push");
  await page.check("#preset-deploy");
  await page.click("main form button.primary");
  await page.waitForSelector("#secret");
  key = await page.inputValue("#secret");
  page.nothingWrong();
});

test("a push is live in the browser when it returns in the terminal", async () => {
  await run("git", ["clone", "-q", `${gitUrl}/node-hello.git`, work]);
  await page.goto(settings);
  const [address] = /http:\/\/localhost:\d+\/git\/by-git\.git/.exec(await text("#git-push")) ?? [];
  await git("remote", "add", "orbitra", address?.replace("localhost", `x:${key}@127.0.0.1`) ?? "");
  await git("commit", "-q", "--allow-empty", "-m", "Pushed with Git");
  const { stderr } = await git("push", "orbitra", "main");
  assert.match(stderr, /remote: Deploying main/);
  assert.match(stderr, /remote: Live: http:\/\/by-git\.localhost/);
  await page.goto(`${url}/dashboard/projects/by-git`);
  assert.match(await text("#tile"), /Pushed with Git/);
  page.nothingWrong();
});

test("a forge is set and forgotten", async () => {
  await page.goto(settings);
  await page.fill("#forge_api", "https://127.0.0.2/");
  await page.click("#save-forge");
  await page.waitForSelector("#forge_token-wrong");
  await page.fill("#forge_api", "https://git.example.com/api/v1");
  await page.selectOption("#forge_kind", "gitea");
  await page.fill("#forge_token", "a-token");
  await page.click("#save-forge");
  await page.waitForSelector("#forge-state");
  assert.match(await text("#forge-state"), /Nothing was told yet/);
  assert.ok(!(await page.content()).includes("a-token"));
  await look(page, "settings-forge");
  await page.click("#delete-forge");
  await page.waitForFunction(() => !document.querySelector("#delete-forge"));
  page.nothingWrong();
});
