// The product as a person meets it, from the first link in the terminal to a key that no longer works.
// One instance, one story: each test goes on where the one before ended.
import assert from "node:assert/strict";
import { after, before } from "node:test";
import { account, chapters, look, newProject, open, setupLink, signIn, url, watched } from "./support.mjs";

const BUILD = 180_000; // the first build may have to fetch packages
let browser, page;

before(async () => {
  browser = await open({ permissions: ["clipboard-write"] });
  page = await watched(browser.context, { expected: [404, 422] });
});
after(() => browser?.close());

const test = chapters(60_000);

const heading = () => page.textContent("h1");
const text = async (selector) => (await page.locator(selector).innerText()).replace(/\s+/g, " ");

test("set up with the link from the terminal", async () => {
  await page.goto(url);
  assert.equal(new URL(page.url()).pathname, "/setup");
  await look(page, "setup");
  await page.goto("about:blank");
  await page.goto(setupLink);
  assert.equal(await page.inputValue("#code"), setupLink.split("#")[1]);
  assert.equal(new URL(page.url()).hash, "", "the code does not stay in the address");
  await page.fill("#email", account.email);
  await page.fill("#name", account.name);
  await page.fill("#password", "too short");
  assert.equal(await text("#password-hint"), "9 of 15 characters.");
  await page.fill("#password", account.password);
  await page.click("button[data-show]");
  assert.equal(await page.getAttribute("#password", "type"), "text");
  await page.click("main button.primary");
  await page.waitForURL(`${url}/dashboard`);
  assert.equal(await heading(), "Projects");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "git_url");
  await look(page, "home-empty");
  assert.equal((await page.goto(`${url}/setup`)).status(), 404);
  await look(page, "not-found");
});

test("sign out and in, and come back to where one wanted to go", async () => {
  await page.goto(`${url}/dashboard`);
  await page.click("[popovertarget=account]");
  await page.click("#account button");
  await page.waitForURL(`${url}/login?out=1`);
  assert.equal(await text(".notice"), "You are signed out.");
  await look(page, "login");
  await page.goto(`${url}/dashboard/account/keys`);
  assert.equal(new URL(page.url()).pathname, "/login");
  await page.fill("#email", account.email);
  await page.fill("#password", "not my password");
  await page.click("main button.primary");
  await page.waitForSelector(".box.bad");
  assert.equal(await text(".box.bad"), "That e-mail and password do not match.");
  assert.equal(await page.inputValue("#email"), account.email);
  await look(page, "login-refused");
  await page.fill("#password", account.password);
  await page.click("main button.primary");
  await page.waitForURL(`${url}/dashboard/account/keys`);
  page.nothingWrong();
});

test("what is wrong with a new project is said beside the fields", async () => {
  await page.goto(`${url}/dashboard/new`);
  await page.fill("#git_url", "file:///srv/git/web.git");
  assert.equal(await text("#name-host"), "web");
  await page.fill("#name", "My App");
  assert.equal(await text("#name-host"), "my-app");
  await page.fill("#variables", "A=1\nnonsense");
  await page.click("main button.primary");
  await page.waitForSelector("#git_url-wrong");
  assert.equal(await text("#variables-wrong"), "Line 2: there is no =.");
  assert.equal(await page.inputValue("#name"), "My App");
  await look(page, "new-project-refused");
});

test("a Git URL becomes a live site, without a reload", { timeout: BUILD }, async () => {
  await page.goto(`${url}/dashboard/new`);
  await look(page, "new-project");
  await newProject(page, "node-hello", { name: "hello", variables: "GREETING=\"hi\"\nSECRET=x\nEMPTY=\n" });
  // A page that was loaded again would have forgotten this.
  await page.evaluate(() => {
    window["titles"] = [document.title];
    const note = () => { if (window["titles"].at(-1) !== document.title) window["titles"].push(document.title); };
    new MutationObserver(note).observe(document.head, { subtree: true, childList: true, characterData: true });
  });
  await look(page, "deployment-building");
  await page.waitForFunction(() => document.title.startsWith("Live"), null, { timeout: BUILD });
  const titles = await page.evaluate(() => window["titles"]);
  assert.equal(titles.at(-1), "Live · hello · Orbitra", titles.join(", "));
  const lines = page.locator("o-log li");
  await page.waitForFunction(() => document.querySelector("o-log li:last-of-type")?.textContent?.includes("Live."));
  const numbers = await lines.evaluateAll((rows) => rows.map((row) => Number(row.id.slice(1))));
  assert.deepEqual(numbers, numbers.map((_, at) => at + 1), "every line once and in order");
  assert.match(await text(".facts"), /EMPTY, GREETING, SECRET/);
  assert.ok((await page.locator(".steps li.ok").count()) === 7);
  await look(page, "deployment-live");

  const site = await page.getAttribute("#open-site", "href");
  assert.match(site, /^http:\/\/hello\.localhost:\d+$/);
  const visitor = await browser.context.newPage();
  const answer = await visitor.goto(site);
  assert.equal(answer.status(), 200);
  assert.equal(await visitor.textContent("h1"), "Hello from Orbitra");
  await visitor.close();
});

test("a build that fails says why, and what visitors see", { timeout: BUILD }, async () => {
  await newProject(page, "fails-to-build");
  await page.waitForFunction(() => document.title.startsWith("Failed"), null, { timeout: BUILD });
  assert.equal(await text("#why"), "The build command stopped with exit code 2");
  assert.match(await text(".box.bad"), /First error: line \d+ error: src\/index\.ts\(3,7\)/);
  assert.match(await text(".box.bad"), /nothing went down/);
  await page.waitForSelector("o-log li.err");
  await page.click("#first-error");
  const target = page.locator("li:target");
  assert.match(await target.innerText(), /src\/index\.ts\(3,7\)/);
  assert.ok(await target.evaluate((row) => {
    const [own, box] = [row.getBoundingClientRect(), row.closest(".log").getBoundingClientRect()];
    return own.top >= box.top && own.bottom <= box.bottom;
  }), "the line is in view");
  await look(page, "deployment-failed");
  const raw = await page.request.get(`${page.url().split("#")[0]}/log.txt`);
  assert.equal(raw.headers()["content-type"], "text/plain; charset=utf-8");
  assert.match(await raw.text(), /error: src\/index\.ts\(3,7\): '}' expected/);
});

test("the home page and a project's page tell what is the matter", async () => {
  await page.goto(`${url}/dashboard`);
  assert.deepEqual(await page.locator("article h2").allInnerTexts(), ["fails-to-build", "hello"]);
  assert.match(await text("article:first-of-type"), /stopped with exit code 2\. Nothing is live yet\./);
  await look(page, "home");
  await page.goto(`${url}/dashboard/projects/hello`);
  assert.equal(await page.title(), "Live · hello · Orbitra");
  await look(page, "project");
});

test("deploying again is seen on every open page", { timeout: BUILD }, async () => {
  const home = await watched(browser.context);
  await home.goto(`${url}/dashboard`);
  const word = (card) => home.locator("article", { hasText: card }).locator(".tag").innerText();
  assert.equal((await word("hello")).trim(), "Live");
  await page.goto(`${url}/dashboard/projects/hello`);
  await page.click("main button.primary");
  await page.waitForURL(/\/dashboard\/deployments\/dep_/);
  await page.waitForFunction(() => document.title.startsWith("Live"), null, { timeout: BUILD });
  // Where it led while it ran may be over before the other page has looked: what stays is the deployment it names.
  await home.waitForSelector(`article a.subject[href="${new URL(page.url()).pathname}"]`);
  const running = home.locator("article", { hasText: "hello.localhost" }).locator(".tag.busy");
  await running.waitFor({ state: "detached" });
  assert.equal((await word("hello.localhost")).trim(), "Live");
  assert.match(await text(".facts"), /EMPTY, GREETING, SECRET/, "with the same variables");
  home.nothingWrong();
  await home.close();
  page.nothingWrong();
});

test("figures are read with the arrow keys, and come by themselves", { timeout: BUILD }, async () => {
  await page.goto(`${url}/dashboard/projects/hello/metrics`);
  // They are written every 15 seconds.
  await page.waitForSelector("#requests-plot[role=slider]", { timeout: BUILD });
  const said = (name) => page.getAttribute("#requests-plot", name);
  const read = () => text("#requests .read");
  await page.focus("#requests-plot");
  assert.equal(await said("aria-valuenow"), await said("aria-valuemax"));
  assert.equal(await read(), await said("aria-valuetext"));
  const newest = await read();
  assert.match(newest, /^\d{4}-\d\d-\d\d \d\d:\d\d UTC: /);
  await page.keyboard.press("ArrowLeft");
  assert.notEqual(await read(), newest, "the step before");
  await page.keyboard.press("Home");
  assert.equal(await said("aria-valuenow"), "0");
  assert.match(await read(), /: nothing$/);
  assert.match(await page.getAttribute("#requests .cross", "d") ?? "", /^M0 0V100$/);
  const other = page.waitForResponse((answer) => answer.url().includes("/metrics?part=figures"), { timeout: 40_000 });
  assert.equal((await other).status(), 200);
  assert.equal(await page.title(), "Metrics · hello · Orbitra");
  await look(page, "metrics");
});

test("variables are pasted, looked at, shown and deployed", { timeout: BUILD }, async () => {
  const variables = `${url}/dashboard/projects/hello/variables`;
  await page.goto(`${url}/dashboard/projects/hello`);
  await page.click("nav.tabs a:has-text('Variables')");
  await page.waitForURL(variables);
  assert.deepEqual(await page.locator("tbody td:first-child").allInnerTexts(), ["EMPTY", "GREETING", "SECRET"]);
  await look(page, "variables");
  await page.fill("#key", "2FA");
  await page.fill("#value", "x");
  await page.click("section:has(#add-title) button.primary");
  await page.waitForSelector("#key-wrong");
  assert.equal(await page.inputValue("#value"), "x");
  await look(page, "variables-refused");
  await page.fill("#text", "GREETING=hello\nSECRET=x\nADDED=\"two\nlines\"\n");
  await page.click("button[value=preview]");
  await page.waitForSelector("#preview");
  assert.match(await text("#preview"), /\+ ADDED ~ GREETING 1 more is like this already/);
  await look(page, "variables-preview");
  await page.click("button[value=save]");
  await page.waitForURL(variables);
  assert.equal(await text(".notice"), "Variables are saved: 1 added, 1 changed.");
  await page.waitForSelector("#pending .box");
  await page.click("tr:has-text('ADDED') button");
  assert.equal(await page.locator("pre.value").innerText(), "two\nlines");
  await look(page, "variables-revealed");
  await page.goto(`${variables}/all/ADDED`);
  await page.click("form[action$=reveal] button");
  await page.waitForFunction(() => document.querySelector("#value")?.["value"] === "two\nlines");
  await look(page, "variable");
  await page.click("[popovertarget=delete-variable]");
  await look(page, "variable-delete");
  await page.click(".confirm:popover-open .danger");
  await page.waitForURL(variables);
  assert.equal(await text(".notice"), "ADDED is deleted.");
  await page.click("#redeploy-now");
  await page.waitForURL(/\/dashboard\/deployments\/dep_/);
  await page.waitForFunction(() => document.title.startsWith("Live"), null, { timeout: BUILD });
  await page.goto(variables);
  assert.equal(await text("#pending"), "", "what is live has them");
  page.nothingWrong();
});

test("going back to an earlier deployment says what to, and is seen without a reload", { timeout: BUILD }, async () => {
  await page.goto(`${url}/dashboard/projects/hello`);
  const before = await page.getAttribute("#live-deployment", "href");
  await page.click("#rollback");
  assert.match(await text("#rollback-dialog"), /made \d+ \w+ \d\d:\d\d UTC.*after its health check passes\. No build\./);
  await look(page, "rollback");
  await page.click("#rollback-dialog-yes");
  await page.waitForURL(/\/dashboard\/deployments\/dep_/);
  assert.notEqual(new URL(page.url()).pathname, before);
  await page.waitForFunction(() => document.title.startsWith("Live"), null, { timeout: BUILD });
  await page.goto(url + before);
  assert.equal(await page.title(), "Replaced · hello · Orbitra");
  await page.click("#more summary");
  await look(page, "deployment-replaced");
  page.nothingWrong();
});

test("a project is paused and resumed", { timeout: BUILD }, async () => {
  await page.goto(`${url}/dashboard/projects/hello`);
  await page.click("#pause");
  await page.click("#pause-yes");
  await page.waitForSelector("#resume");
  assert.equal(await page.title(), "Paused · hello · Orbitra");
  await look(page, "project-paused");
  const site = await page.getAttribute("#site-1", "href");
  const visitor = await browser.context.newPage();
  let status;
  const end = Date.now() + 20_000;
  do status = (await visitor.goto(site)).status(); while (status !== 503 && Date.now() < end);
  assert.equal(status, 503);
  await visitor.close();
  await page.click("#resume");
  await page.waitForSelector("#pause");
  assert.equal(await text(".notice"), "Resumed.");
  await page.goto(`${url}/dashboard/projects/hello/settings`);
  await page.fill("#timeout_seconds", "3600");
  await look(page, "settings");
  await page.click("#build button.primary");
  await page.waitForSelector(".notice");
  assert.equal(await text(".notice"), "Build is saved.");
  assert.equal(await page.inputValue("#timeout_seconds"), "3600");
});

// It is the longest page by far, and is looked through in four forms.
test("the reference of the API opens where its address leads", { timeout: 180_000 }, async () => {
  await page.goto(`${url}/docs#deployments_create`);
  assert.ok(await page.locator("#deployments_create").isVisible());
  await look(page, "docs-operation");
  await page.goto(`${url}/docs`);
  await look(page, "docs");
  await page.fill("#search", "rollback");
  assert.equal(await text("#search-found"), `1 of ${await page.locator("[data-op]").count()} operations`);
  await page.click("details:not([hidden])[data-op] > summary");
  await page.click("#projects_rollback a[href='/docs/errors/conflict']");
  await page.waitForURL(`${url}/docs/errors/conflict`);
  assert.match(await text("#no_rollback_target"), /No earlier deployment is left/);
  await look(page, "docs-error");
  await page.goto(`${url}/docs/errors`);
  await look(page, "docs-errors");
});

test("an API key is shown once and works until it is revoked", async () => {
  const works = async (key) => (await fetch(`${url}/api/v1/projects`, { headers: { authorization: `Bearer ${key}` } })).status;
  await page.goto(`${url}/dashboard/account/keys`);
  await look(page, "keys-empty");
  await page.fill("#name", "ci");
  await page.click("main form button.primary");
  await page.waitForSelector("#secret");
  const key = await page.inputValue("#secret");
  assert.match(key, /^orbu_[0-9A-Za-z]{36}$/);
  await page.click(".with [data-copy]");
  await page.waitForFunction(() => document.querySelector(".with .label")?.textContent === "Copied");
  await look(page, "keys-created");
  assert.equal(await works(key), 200);
  await page.reload();
  assert.equal(await page.locator("#secret").count(), 0);
  assert.ok(!(await page.content()).includes(key));
  await page.click("button.risky");
  await look(page, "keys-revoke");
  await page.click(".confirm:popover-open .danger");
  await page.waitForSelector(".notice");
  assert.equal(await text(".notice"), "Key ci is revoked.");
  assert.equal(await works(key), 401);
});

test("a project is deleted when its name is typed", async () => {
  await page.goto(`${url}/dashboard/projects/fails-to-build/settings`);
  await page.click("#delete summary");
  await page.fill("#confirm", "fails");
  await page.click("#delete .danger");
  await page.waitForSelector("#confirm-wrong");
  await look(page, "project-delete-refused");
  await page.fill("#confirm", "fails-to-build");
  await page.click("#delete .danger");
  await page.waitForURL(`${url}/dashboard`);
  assert.equal(await text(".notice"), "Project fails-to-build is deleted.");
  assert.deepEqual(await page.locator("article h2").allInnerTexts(), ["hello"]);
  await look(page, "home-after-delete");
});

test("a second browser that signs out elsewhere is told", async () => {
  const second = await open();
  try {
    const other = await watched(second.context, { expected: [401] });
    await signIn(other);
    // The session ends behind the page's back.
    await second.context.clearCookies();
    await other.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await other.locator("#signed-out").waitFor();
    assert.match(await other.locator("#signed-out").innerText(), /^You were signed out\./);
    other.nothingWrong();
  } finally {
    await second.close();
  }
});

test("everything works without script", { timeout: BUILD }, async () => {
  const plain = await open({ javaScriptEnabled: false });
  try {
    const reader = await plain.context.newPage();
    await signIn(reader);
    await newProject(reader, "node-hello", { name: "plain", variables: "A=1" });
    assert.equal(await reader.locator("meta[http-equiv=refresh]").count(), 1);
    // The page loads itself again every five seconds while something runs.
    await reader.locator(".head .tag.ok").waitFor({ timeout: BUILD });
    assert.equal(await reader.title(), "Live · plain · Orbitra");
    await reader.goto(`${url}/dashboard/projects/plain/variables`);
    await reader.fill("#text", "B=2");
    await reader.click("button[value=preview]");
    await reader.click("button[value=save]");
    await reader.waitForURL(`${url}/dashboard/projects/plain/variables`);
    assert.equal(await reader.locator("tbody tr").count(), 2);
    await reader.goto(`${url}/docs#health`);
    assert.ok(await reader.locator("#health").isVisible());
    await reader.goto(`${url}/dashboard/projects/plain/settings`);
    await reader.click("#delete summary");
    await reader.fill("#confirm", "plain");
    await reader.click("#delete .danger");
    await reader.waitForURL(`${url}/dashboard`);
    assert.equal(await reader.locator("article", { hasText: "plain" }).count(), 0);
  } finally {
    await plain.close();
  }
});
