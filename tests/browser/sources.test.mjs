// A private repository, from the refusal to the live site, and what the site writes while it runs.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { begin, chapters, look, open, privateGitUrl, url, watched } from "./support.mjs";

const BUILD = 180_000;
const SECRET = "s3cret-Zf83kQp1x";
const project = `${url}/dashboard/projects/private`;
let browser, page, site;

before(async () => {
  browser = await open({ permissions: ["clipboard-write"] });
  page = await watched(browser.context, { expected: [422] });
  await begin(page);
});
after(() => browser?.close());

const test = chapters(BUILD);

const text = async (selector) => (await page.locator(selector).innerText()).replace(/\s+/g, " ");
// The page's own policy forbids to read the clipboard.
const watchCopies = () => page.evaluate(() => {
  const write = navigator.clipboard.writeText.bind(navigator.clipboard);
  navigator.clipboard.writeText = (copied) => { window["copied"] = copied; return write(copied); };
});
const saveSource = async () => {
  await page.click("#source button.primary");
  await page.waitForSelector(".notice");
};

test("a repository that nobody may read says so and leads to where access is given", async () => {
  await page.goto(`${url}/dashboard/new`);
  await page.fill("#git_url", `${privateGitUrl}/node-hello.git`);
  await page.fill("#name", "private");
  await page.click("main button.primary");
  await page.waitForFunction(() => document.title.startsWith("Failed"), null, { timeout: BUILD });
  assert.equal(await text("#why"), "The repository needs a sign-in, or it does not exist");
  await look(page, "deployment-refused");
  await page.click("#fix");
  await page.waitForURL(`${project}/settings#source`);
  assert.match(await text("#token-hint"), /None is stored\.$/);
});

test("a deploy key is shown, copied and made anew", async () => {
  await page.fill("#git_url", "git@github.com:acme/private.git");
  await saveSource();
  const key = await text("#deploy-key .code code");
  assert.match(key, /^ssh-ed25519 \S+ orbitra-private$/);
  await watchCopies();
  await page.click("#copy-key");
  await page.waitForFunction(() => document.querySelector("#copy-key")?.["title"] === "Copied");
  assert.equal(await page.evaluate(() => window["copied"]), key);
  assert.equal(await page.getAttribute("#deploy-key dd a", "href"), "https://github.com/acme/private/settings/keys");
  await look(page, "settings-deploy-key");
  await page.click("#rotate");
  await look(page, "settings-rotate");
  await page.click("#rotate-yes");
  await page.waitForSelector(".notice");
  assert.match(await text(".notice"), /^A new deploy key is made\./);
  assert.notEqual(await text("#deploy-key .code code"), key);
});

test("with a token the repository is read, and the token is never shown", async () => {
  await page.fill("#git_url", `${privateGitUrl}/node-hello.git`);
  await page.selectOption("#auth", "token");
  await page.click("#source button.primary");
  await page.waitForSelector("#token-wrong");
  await look(page, "settings-source-refused");
  await page.fill("#token", `ada:${SECRET}`);
  await saveSource();
  assert.match(await text("#token-hint"), /Stored, made on .* UTC\. Left empty, it stays\.$/);
  assert.equal(await page.inputValue("#token"), "");
  assert.ok(!(await page.content()).includes(SECRET));
  await page.goto(project);
  await page.click("main .head button.primary");
  await page.waitForURL(/\/dashboard\/deployments\/dep_/);
  await page.waitForFunction(() => document.title.startsWith("Live"), null, { timeout: BUILD });
  assert.ok(!(await page.content()).includes(SECRET));
  site = await page.getAttribute("#open-site", "href");
  page.nothingWrong();
});

test("the plan tells how it is built, down to the Dockerfile", async () => {
  assert.match(await text("#plan h2"), /Node\.js/);
  assert.match(await text("#plan dl"), /node 2\d.*Start/);
  await page.click("#dockerfile-summary");
  const dockerfile = await page.locator("#dockerfile-text").textContent();
  assert.match(dockerfile ?? "", /^FROM /m);
  await watchCopies();
  await page.click("#copy-dockerfile");
  await page.waitForFunction(() => document.querySelector("#copy-dockerfile .label")?.textContent === "Copied");
  assert.equal(await page.evaluate(() => window["copied"]), dockerfile);
  await look(page, "deployment-plan");
});

test("requests appear as they come, are chosen, and wait while the page is paused", async () => {
  const visitor = await browser.context.newPage();
  const visit = async (path) => (await visitor.goto(site + path)).status();
  const rows = (path) => page.locator("o-log li", { hasText: path });
  await page.goto(`${project}/logs`);
  assert.equal(await visit("/"), 200);
  await rows("GET / 200").first().waitFor();
  await visit("/first-of-all");
  await rows("/first-of-all").waitFor();
  assert.equal(await page.locator("o-log .logempty").count(), 0);
  await look(page, "logs");
  await page.click("[data-pause]");
  assert.match(await text(".lognote"), /^Paused\./);
  await visit("/while-paused");
  // Once it is in the log it would have come within a second.
  await page.waitForFunction(async () => (await (await fetch(`${location.pathname}.txt`)).text()).includes("/while-paused"));
  assert.equal(await rows("/while-paused").count(), 0);
  await page.click("[data-pause]");
  await rows("/while-paused").waitFor();
  const numbers = await page.locator("o-log li").evaluateAll((all) => all.map((row) => Number(row.id.slice(1))));
  assert.deepEqual(numbers, [...new Set(numbers)].sort((a, b) => a - b), "every line once and in order");
  await page.fill("#q", "while-PAUSED");
  await page.selectOption("#source", "proxy");
  await page.click("search button");
  await page.waitForURL(/source=proxy/);
  assert.equal(await page.locator("o-log li").count(), 1);
  await visit("/not-wanted");
  await visit("/while-paused/again");
  await rows("/while-paused/again").waitFor();
  assert.equal(await rows("/not-wanted").count(), 0);
  await page.fill("#q", "nowhere");
  await page.click("search button");
  await page.waitForSelector(".logempty");
  await look(page, "logs-nothing-fits");
  await visitor.close();
  page.nothingWrong();
});

test("lines are chosen and a project is deleted without script", async () => {
  const plain = await open({ javaScriptEnabled: false });
  try {
    const reader = await plain.context.newPage();
    await begin(reader);
    await reader.goto(`${project}/logs`);
    await reader.selectOption("#status", "2xx");
    await reader.click("search button");
    await reader.waitForURL(/status=2xx/);
    assert.ok((await reader.locator("o-log li").count()) > 0);
    await reader.goto(`${project}/settings`);
    await reader.click("#delete summary");
    await reader.fill("#confirm", "private");
    await reader.click("#delete .danger");
    await reader.waitForURL(`${url}/dashboard`);
  } finally {
    await plain.close();
  }
});
