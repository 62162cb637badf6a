// Previews: from the first hook to a branch that is pushed, seen, walled, deleted, and one too many.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before } from "node:test";
import { Copy, says } from "./branches.mjs";
import { account, begin, chapters, look, newProject, open, tabTo, url, watched } from "./support.mjs";

const BUILD = 180_000;
// Longer than most, as some people's are.
const NAME = "storefront-of-the-northern-department";
const LONG = "dependabot/npm_and_yarn/packages/storefront/types-and-linting-9f3c1b2a7d";
const MOST = 20;
const WINDOWS = [[1440, 900], [1280, 800], [360, 740], [320, 640]];
const SITES = /\.localhost$/;
const project = `${url}/dashboard/projects/${NAME}`;
let browser, page, copy;

before(async () => {
  copy = new Copy("static-site");
  await copy.clone();
  browser = await open({ permissions: ["clipboard-write"] });
  page = await watched(browser.context, { expected: [422], sites: SITES });
  await begin(page);
});
after(async () => {
  await browser?.close();
  copy?.end();
});

const test = chapters(BUILD);

const text = async (selector) => (await page.locator(selector).innerText()).replace(/\s+/g, " ");
// Also one that stands among those that are folded away.
const row = (branch) => page.locator("#previews tbody tr").filter({ has: page.locator("a.subject", { hasText: new RegExp(`^${branch}$`) }) });
/** Waits until a branch stands there in a state, without a reload. */
const stands = async (branch, state) => {
  await row(branch).locator(".tag", { hasText: state }).waitFor({ timeout: BUILD });
};
const address = async (branch) => (await row(branch).locator("a[id^=branch-site-]").getAttribute("href")) ?? "";

test("a project without previews says how to get them", async () => {
  await newProject(page, "static-site", { name: NAME });
  await page.waitForFunction(() => document.title.startsWith("Live"), null, { timeout: BUILD });
  await page.goto(project);
  assert.match(await text("#previews"), /Set up A push can give every other branch an address of its own until the branch is deleted\./);
  await look(page, "project-no-previews", WINDOWS);
  await page.click("#want-previews");
  await page.waitForURL(/settings#pushes$/);
  await page.check("#hook_previews");
  await page.click("#create-hook");
  await page.waitForSelector("#new-hook");
  copy.hook = { secret: await page.inputValue("#hook-secret"), url: await text("#new-hook .code code") };
  await page.goto(project);
  assert.match(await text("#previews"), /No branch has one yet\. Push one other than main: it gets an address of its own until it is deleted\./);
  page.nothingWrong();
});

test("a branch that is pushed appears with its state and its address, without a reload", async () => {
  await copy.push("feature/cart", says("A cart"), "Add a cart");
  await stands("feature/cart", "Ready");
  assert.match(await text("#previews"), /1 branch, at most 20/);
  const site = await address("feature/cart");
  // The label of a branch whose name is no label has a hash, so that no two have the same.
  assert.match(site, new RegExp(`^http://${NAME}-git-feature-cart[a-z0-9-]*\\.localhost:\\d+$`));
  assert.match((await row("feature/cart").innerText()).replace(/\s+/g, " "), /Ready feature\/cart [0-9a-f]{7} Add a cart/);
  // What visitors get is what it was.
  assert.match(await text("#tile"), /Production Live .*Open the shop/);
  await page.click("#unseen");
  await page.waitForURL(project);
  assert.match(await text("#list"), /Ready Add a cart Preview/);
  await look(page, "project-preview", WINDOWS);
  page.nothingWrong();
});

test("with the keyboard alone one gets to the preview and back", async () => {
  await page.goto(project);
  await tabTo(page, "#previews tbody a[id^=preview-]");
  await tabTo(page, "#previews tbody a[id^=branch-site-]");
  await page.keyboard.press("Enter");
  await page.waitForURL(/feature-cart.*\.localhost/);
  assert.equal(await page.textContent("h1"), "A cart");
  await page.goBack();
  await page.waitForURL(project);
  page.nothingWrong();
});

test("the next push of a branch is the same row and the same address", async () => {
  const before = await address("feature/cart");
  await copy.push("feature/cart", says("A better cart"), "Improve the cart");
  await row("feature/cart").getByText("Improve the cart").waitFor({ timeout: BUILD });
  await stands("feature/cart", "Ready");
  assert.equal(await page.locator("#previews tbody tr").count(), 1);
  assert.equal(await address("feature/cart"), before);
  await page.goto(before);
  assert.equal(await page.textContent("h1"), "A better cart");
  await page.goto(project);
});

test("a push that fails says so, and the address shows what it showed", async () => {
  const site = await address("feature/cart");
  await copy.push("feature/cart", { "orbitra.toml": "[build]\nframework = \"cobol\"\n" }, "Use another language");
  await stands("feature/cart", "Failed");
  assert.equal(await address("feature/cart"), site);
  // A branch's failure is none of production's.
  assert.match(await page.title(), /^Live/);
  assert.match(await text("#tile"), /Production Live/);
  await page.goto(site);
  assert.equal(await page.textContent("h1"), "A better cart");
  await page.goto(project);
  await row("feature/cart").locator("a.subject").click();
  await page.waitForSelector("#why");
  await page.goto(project);
  page.nothingWrong();
});

test("a branch that is deleted takes its row and its address along", async () => {
  const site = await address("feature/cart");
  assert.deepEqual(await copy.remove("feature/cart"), { status: "ignored", reason: "branch_deleted" });
  await row("feature/cart").waitFor({ state: "detached" });
  assert.match(await text("#previews"), /No branch has one yet/);
  const visitor = await watched(browser.context, { expected: [410], sites: SITES });
  const answer = await visitor.goto(site);
  assert.equal(answer.status(), 410);
  assert.match(await visitor.innerText("main"), /This version of the site has been removed/);
  visitor.nothingWrong();
  await visitor.close();
  page.nothingWrong();
});

test("of more branches than a project may have the one goes that nobody has used for longest", async () => {
  for (let number = 1; number <= MOST; number++) {
    const branch = number === 3 ? LONG : `feature/number-${number}`;
    await copy.push(branch, says(`Number ${number}`), number === 3 ? `Bump the types-and-linting group with ${"many ".repeat(20)}updates` : `Add number ${number}`);
    await stands(branch, "Ready");
  }
  assert.match(await text("#previews"), /20 branches, at most 20.*15 more branches/);
  await look(page, "project-many-previews", WINDOWS);
  // What somebody has opened stays open when a push renews the rows.
  await page.click("#more-previews-summary");
  assert.ok(await row("feature/number-1").isVisible());
  await copy.push("feature/number-21", says("Number 21"), "Add number 21");
  await stands("feature/number-21", "Ready");
  await row("feature/number-1").waitFor({ state: "detached" });
  await page.waitForFunction(() => document.querySelectorAll("#previews tbody tr").length === 20);
  assert.ok(await row("feature/number-2").isVisible());
  assert.match(await text("#previews"), /20 branches, at most 20/);
  page.nothingWrong();
});

// ---- The wall ----

test("a stranger is sent to sign in, and comes back to the page that was asked for", async () => {
  const site = `${await address("feature/number-2")}/about/?from=mail`;
  await page.goto(`${project}/settings#visitors`);
  await page.selectOption("#sign_in", "previews");
  await page.click("#visitors button.primary");
  await page.waitForSelector(".notice");
  await page.goto(project);
  assert.match(await text("#previews"), /Only people who are signed in and may see this project are let in\./);
  const stranger = await open();
  try {
    const visitor = await watched(stranger.context, { expected: [422], sites: SITES });
    await visitor.goto(site);
    assert.equal(new URL(visitor.url()).origin + new URL(visitor.url()).pathname, `${url}/login`);
    assert.match(await visitor.innerText("#to-site"), /lets in only people who have an account here\. You come back to it\./);
    await look(visitor, "login-for-a-preview", WINDOWS);
    await visitor.fill("#email", account.email);
    await visitor.fill("#password", "not my password");
    await visitor.keyboard.press("Enter");
    await visitor.waitForSelector(".box.bad");
    assert.equal(await visitor.locator("#to-site").count(), 1, "it is not forgotten over a wrong password");
    await visitor.fill("#password", account.password);
    await visitor.keyboard.press("Enter");
    await visitor.waitForURL(site);
    assert.equal(await visitor.textContent("h1"), "About");
    // No token stays in the address, and the application's own script sees no cookie.
    assert.equal(await visitor.evaluate(() => document.cookie), "");
    await visitor.goto(new URL("/", site).href);
    assert.equal(await visitor.textContent("h1"), "Number 2");
    visitor.nothingWrong();
    // Signed out at the dashboard, one is out there as well.
    await visitor.goto(`${url}/dashboard`);
    await visitor.click("[popovertarget=account]");
    await visitor.click("#account form button");
    await visitor.waitForURL(`${url}/login?out=1`);
    await visitor.goto(site);
    assert.equal(new URL(visitor.url()).pathname, "/login");
    // Production is for everybody.
    await visitor.goto(`http://${NAME}.localhost:${new URL(url).port}/`);
    assert.equal(await visitor.textContent("h1"), "A static site");
    visitor.nothingWrong();
  } finally {
    await stranger.close();
  }
});

test("who is signed in sees the site at once, and who may not see the project does not", async () => {
  const site = await address("feature/number-2");
  await page.goto(site);
  await page.waitForURL(`${site}/`);
  assert.equal(await page.textContent("h1"), "Number 2");
  await page.goto(project);
  page.nothingWrong();
  execFileSync(process.env.ORB_PROGRAM ?? "", ["admin", "create-user", "--email", "mallory@example.com", "--name", "Mallory", "--password-stdin"], {
    input: `${account.password}\n`,
  });
  const other = await open({ javaScriptEnabled: false });
  try {
    const visitor = await other.context.newPage();
    await visitor.goto(site);
    await visitor.fill("#email", "mallory@example.com");
    await visitor.fill("#password", account.password);
    await visitor.click("main button.primary");
    await visitor.waitForSelector("h1");
    assert.match(await visitor.innerText("h1"), /does not exist, or you may not see it/);
    await visitor.goto(site);
    assert.notEqual(await visitor.textContent("h1"), "Number 2");
  } finally {
    await other.close();
  }
});
