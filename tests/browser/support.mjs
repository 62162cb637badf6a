// What the journeys share: a browser, a page that is watched, and a close look at a page.
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { test as chapter } from "node:test";
import { chromium } from "playwright-core";

export const url = process.env.ORB_URL;
export const setupLink = process.env.ORB_SETUP_LINK;
export const gitUrl = process.env.GIT_URL;
export const privateGitUrl = process.env.PRIVATE_GIT_URL;
export const account = { email: "ada@example.com", name: "Ada Lovelace", password: "correct horse battery" };

const artifacts = path.join(import.meta.dirname, "artifacts");
const axeSource = fs.readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const FLAGS = [
  "--no-sandbox", "--headless=new", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  // Without a detour over ::1, where nobody listens.
  "--host-resolver-rules=MAP localhost 127.0.0.1,MAP *.localhost 127.0.0.1",
];

/** A browser nobody has used. @param {object} options of the context */
export async function open(options = {}) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "orbitra-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM,
    headless: false, // the new headless mode comes by its flag
    args: FLAGS,
    viewport: { width: 1280, height: 800 },
    ...options,
  });
  context.setDefaultTimeout(20_000);
  const close = async () => {
    await context.close();
    fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  return { context, close };
}

/**
 * Docker's networks come and go on this machine while something is deployed, and the browser ends what is under way when
 * they do. The page asks again; a journey that needs the answer fails without it.
 */
const otherNetwork = (text) => text.includes("net::ERR_NETWORK_CHANGED");

/** A page on which nothing may go wrong unnoticed. `sites` are hosts besides the dashboard's that it may visit. */
export async function watched(context, { expected = [], sites = /^$/ } = {}) {
  const page = await context.newPage();
  const wrong = [];
  page.on("console", (message) => {
    if (message.type() !== "error") return;
    // The browser reports every answer of 4xx; those a journey asks for are no news.
    const status = /status of (\d+)/.exec(message.text())?.[1];
    if (!expected.includes(Number(status)) && !otherNetwork(message.text())) wrong.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => wrong.push(`error: ${error.message}`));
  page.on("request", (request) => {
    const { origin, hostname } = new URL(request.url());
    if (origin !== new URL(url).origin && origin !== "null" && !sites.test(hostname)) wrong.push(`request: ${request.url()}`);
  });
  page.on("requestfailed", (request) => {
    const text = request.failure()?.errorText ?? "";
    // Leaving a page ends its streams and what it was just fetching.
    if (!text.includes("ERR_ABORTED") && !otherNetwork(text)) wrong.push(`failed: ${request.url()} ${text}`);
  });
  await page.exposeBinding("violated", (_, text) => wrong.push(`policy: ${text}`));
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      window["violated"](`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
  });
  page.nothingWrong = () => assert.deepEqual(wrong, []);
  return page;
}

/** Widths and heights that pages are looked at in. */
const WINDOWS = [[1280, 800], [320, 640]];

/** Looks at a page closely: light and dark, wide and narrow. */
export async function look(page, name, windows = WINDOWS) {
  fs.mkdirSync(artifacts, { recursive: true });
  const before = page.viewportSize();
  for (const [width, height] of windows) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      const where = `${name} ${width} ${colorScheme}`;
      // Colours on their way from one scheme to the other are neither; two pages at once are none.
      await page.waitForFunction(() => !document.getAnimations().some((animation) => animation.playState === "running"
        && (animation instanceof CSSTransition || animation.effect?.["pseudoElement"]?.startsWith("::view-transition"))));
      await page.evaluate(() => scrollTo(0, 0));
      await page.screenshot({ path: path.join(artifacts, `${name}-${width}-${colorScheme}.png`), fullPage: true });
      const seen = await page.evaluate(() => ({
        headings: document.querySelectorAll("h1").length,
        title: document.title,
        wider: document.documentElement.scrollWidth - innerWidth,
      }));
      assert.equal(seen.headings, 1, `${where}: one h1`);
      assert.match(seen.title, /Orbitra$/, where);
      assert.ok(seen.wider <= 0, `${where}: ${seen.wider} px wider than the window`);
      assert.deepEqual(await axe(page), [], where);
    }
  }
  await page.emulateMedia({ colorScheme: null });
  if (before) await page.setViewportSize(before);
  page.nothingWrong();
}

/** Violations of the accessibility rules. It is evaluated by the debugger, so our policy does not forbid it. */
async function axe(page) {
  await page.evaluate(axeSource);
  const result = await page.evaluate((runOnly) => window["axe"].run(document, { runOnly }), RULES);
  return result.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target} ${node.failureSummary}`));
}

/** Signs in on the login page. */
export async function signIn(page) {
  await page.goto(`${url}/login`);
  await page.fill("#email", account.email);
  await page.fill("#password", account.password);
  await page.click("main button.primary");
  await page.waitForURL(`${url}/dashboard`);
}

/** Signs in, after the set-up if there was none yet: a file of journeys may run alone. */
export async function begin(page) {
  await page.goto(url);
  if (new URL(page.url()).pathname !== "/setup") return signIn(page);
  await page.goto("about:blank");
  await page.goto(setupLink);
  await page.fill("#email", account.email);
  await page.fill("#name", account.name);
  await page.fill("#password", account.password);
  await page.click("main button.primary");
  await page.waitForURL(`${url}/dashboard`);
}

/** Fills in the form for a new project and sends it. */
export async function newProject(page, repository, fields = {}) {
  await page.goto(`${url}/dashboard/new`);
  await page.fill("#git_url", `${gitUrl}/${repository}.git`);
  for (const [name, value] of Object.entries(fields)) await page.fill(`#${name}`, value);
  await page.click("main button.primary");
  await page.waitForURL(/\/dashboard\/deployments\/dep_/);
}

/** Presses Tab until an element has the focus, which has to be seen. Answers how many presses it took. */
export async function tabTo(page, selector, most = 60) {
  for (let presses = 1; presses <= most; presses++) {
    await page.keyboard.press("Tab");
    const there = await page.evaluate((wanted) => {
      const focused = document.activeElement;
      if (!focused?.matches(wanted)) return null;
      const { x, y, width, height } = focused.getBoundingClientRect();
      const style = getComputedStyle(focused);
      return {
        ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
        uncovered: focused.contains(document.elementFromPoint(x + width / 2, y + height / 2)),
      };
    }, selector);
    if (there) {
      assert.deepEqual(there, { ring: true, uncovered: true }, selector);
      return presses;
    }
  }
  assert.fail(`${selector} has no focus after ${most} presses of Tab`);
}

/**
 * Declares the chapters of a story, in their order: with options of its own or this limit in milliseconds. One that comes
 * after a chapter that went wrong would tell nothing, and is left out.
 */
export function chapters(timeout) {
  let told = true;
  return (name, options, tell = options) => chapter(name, options === tell ? { timeout } : options, async (context) => {
    if (!told) return context.skip("an earlier chapter went wrong");
    told = false;
    await tell();
    told = true;
  });
}
