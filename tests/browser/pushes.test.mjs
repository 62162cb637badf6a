// A push hook, from the form to the deployment that a push makes.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before } from "node:test";
import { begin, chapters, gitUrl, look, newProject, open, url, watched } from "./support.mjs";

const BUILD = 180_000;
const settings = `${url}/dashboard/projects/pushed/settings`;
let browser, page, hook;

before(async () => {
  browser = await open({ permissions: ["clipboard-write"] });
  page = await watched(browser.context, { expected: [422] });
  await begin(page);
});
after(() => browser?.close());

const test = chapters(BUILD);

const text = async (selector) => (await page.locator(selector).innerText()).replace(/\s+/g, " ");

/** Tells of a push as GitHub does. */
async function push(event, payload) {
  const body = JSON.stringify(payload);
  const signature = createHmac("sha256", hook.secret).update(body).digest("hex");
  const headers = {
    "content-type": "application/json",
    "x-github-event": event,
    "x-github-delivery": crypto.randomUUID(),
    "x-hub-signature-256": `sha256=${signature}`,
  };
  const answer = await fetch(hook.url, { method: "POST", headers, body });
  return answer.json();
}

test("a hook is made, and its secret is shown once", async () => {
  await newProject(page, "node-hello", { name: "pushed" });
  await page.goto(settings);
  assert.match(await text("#hooks"), /None yet/);
  await look(page, "settings-hooks-empty");
  await page.fill("#hook_branch", "-x");
  await page.click("#create-hook");
  await page.waitForSelector("#hook_branch-wrong");
  await page.fill("#hook_branch", "main");
  await page.check("#hook_previews");
  await page.click("#create-hook");
  await page.waitForSelector("#new-hook");
  hook = { secret: await page.inputValue("#hook-secret"), url: await text("#new-hook .code code") };
  assert.match(hook.url, /\/api\/v1\/hooks\/git\/orbh_\w{36}$/);
  assert.match(await text("#new-hook"), /Copy the secret now\..*Settings, Webhooks, Add webhook\./);
  await page.click("#copy-hook-secret");
  await page.waitForFunction(() => document.querySelector("#copy-hook-secret .label")?.textContent === "Copied");
  await look(page, "settings-hook-made");
  await page.reload();
  assert.equal(await page.locator("#new-hook").count(), 0);
  assert.ok(!(await page.content()).includes(hook.secret));
  assert.match(await text("#hooks"), /main to production, all others as previews.*Waiting for the first delivery/);
  await look(page, "settings-hooks");
});

test("the first delivery shows on the page that waits for it", async () => {
  assert.deepEqual(await push("ping", { zen: "Keep it logically awesome." }), { status: "pong" });
  await page.waitForSelector("#hooks .tag.ok");
  assert.match(await text("#hooks"), /Received/);
  page.nothingWrong();
});

test("a push deploys its commit", async () => {
  const refs = await (await fetch(`${gitUrl}/node-hello.git/info/refs?service=git-upload-pack`)).text();
  const [, after] = /([0-9a-f]{40}) refs\/heads\/main/.exec(refs) ?? [];
  const answer = await push("push", {
    ref: "refs/heads/main", before: "0".repeat(40), after, created: true, commits: [], repository: { default_branch: "main" },
  });
  assert.equal(answer.status, "accepted");
  await page.goto(`${url}/dashboard/deployments/${answer.deployment_id}`);
  await page.waitForFunction(() => document.title.startsWith("Live"), null, { timeout: BUILD });
  assert.match(await text("main"), /Push/);
  assert.ok((await page.content()).includes(after?.slice(0, 7)));
  page.nothingWrong();
});

test("a hook gets a new address, and is deleted without script", async () => {
  await page.goto(settings);
  await page.click("#hooks [id^=rotate-ghk_]");
  await look(page, "settings-hook-rotate");
  await page.click("#hooks [id^=rotate-dialog-] .danger");
  await page.waitForSelector("#new-hook");
  const old = hook.url;
  hook = { secret: await page.inputValue("#hook-secret"), url: await text("#new-hook .code code") };
  assert.notEqual(hook.url, old);
  assert.equal((await fetch(old, { method: "POST", body: "{}" })).status, 404);
  assert.deepEqual(await push("ping", { zen: "x" }), { status: "pong" });
  page.nothingWrong();
  const plain = await open({ javaScriptEnabled: false });
  try {
    const reader = await plain.context.newPage();
    await begin(reader);
    await reader.goto(settings);
    assert.match(await reader.locator("#hooks").innerText(), /Received/);
    await reader.click("#hooks [id^=delete-ghk_]");
    await reader.click("#hooks [id^=delete-dialog-] .danger");
    await reader.waitForURL(/settings#hooks$/);
    assert.match(await reader.locator("#hooks").innerText(), /None yet/);
    await reader.selectOption("#hook_provider", "deploy");
    await reader.click("#create-hook");
    await reader.waitForSelector("#new-hook");
    assert.match(await reader.locator("#new-hook .code").innerText(), /\/hooks\/deploy\/orbh_/);
  } finally {
    await plain.close();
  }
});
