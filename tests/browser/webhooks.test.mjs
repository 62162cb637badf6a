// A webhook, from the form to a receiver that verifies what it gets.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { createServer } from "node:http";
import { after, before } from "node:test";
import { verify } from "../../docs/webhooks/verify.mjs";
import { begin, chapters, look, open, url, watched } from "./support.mjs";

const list = `${url}/dashboard/team/webhooks`;
let browser, page, hook, secret;

// The receiver answers as it is told next, and then with 200.
const got = [];
const next = [];
const receiver = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    got.push({ headers: request.headers, body: Buffer.concat(chunks) });
    const [status, body] = next.shift() ?? [200, "thanks"];
    response.writeHead(status, { "content-type": "text/html" }).end(body);
  });
});

before(async () => {
  await new Promise((ready) => receiver.listen(0, "127.0.0.1", () => ready(null)));
  browser = await open({ permissions: ["clipboard-write"] });
  page = await watched(browser.context, { expected: [422] });
  await begin(page);
});
after(async () => {
  await browser?.close();
  receiver.closeAllConnections();
  receiver.close();
});

const test = chapters(120_000);

const text = async (selector) => (await page.locator(selector).innerText()).replace(/\s+/g, " ");
const address = () => `http://127.0.0.1:${/** @type {any} */ (receiver.address()).port}/hook`;

/** Waits until this much has come. */
async function wait(count) {
  for (let tries = 0; got.length < count && tries < 500; tries++) await new Promise((go) => setTimeout(go, 20));
  assert.ok(got.length >= count, `${got.length} of ${count}`);
}

test("a webhook is made, and its secret is shown once", async () => {
  await page.goto(list);
  assert.match(await text("main"), /A webhook tells a program of yours, a chat or a mailbox what happens here/);
  await look(page, "webhooks-empty");
  await page.fill("#url", "https://10.0.0.1/hook");
  await page.click("#create-webhook");
  await page.waitForSelector("#url-wrong");
  assert.match(await text("#url-wrong"), /may not be reached from this server/);
  assert.match(await text("#events-wrong"), /Choose one event at least/);
  await look(page, "webhooks-wrong");
  await page.fill("#url", address());
  await page.fill("#description", "The journey's own");
  await page.click("#family-api_key summary");
  await page.check("#event-api-key-all");
  await page.click("#create-webhook");
  await page.waitForSelector("#new-secret");
  hook = new URL(page.url()).pathname;
  secret = await page.inputValue("#secret");
  assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  await page.click("#copy-secret");
  await page.waitForFunction(() => document.querySelector("#copy-secret .label")?.textContent === "Copied");
  await page.click("#verify-python summary");
  assert.match(await text("#snippet-python"), /hmac\.compare_digest/);
  await page.click("#verify-node summary");
  assert.ok(!(await page.locator("#snippet-python").isVisible()), "one language at a time");
  await look(page, "webhook-made");
  await page.reload();
  assert.equal(await page.locator("#new-secret").count(), 0);
  assert.ok(!(await page.content()).includes(secret));
});

test("a ping that fails shows the answer and what to do", async () => {
  next.push([500, "<h1>Out of order</h1><script>alert(1)</script>"]);
  await page.click("#ping");
  await page.waitForURL(/\/deliveries\/dlv_/);
  assert.match(await text(".notice"), /The receiver answered 500\. Only 2xx counts as received\./);
  assert.match(await text("#state"), /Failed.*500.*<h1>Out of order<\/h1><script>alert\(1\)<\/script>/);
  assert.equal(await text("#event-id"), got[0].headers["x-orbitra-event-id"]);
  await look(page, "webhook-delivery-failed");
});

test("how it was signed can be computed from what is shown", async () => {
  const key = Buffer.from(secret.slice(6), "base64");
  const bytes = await page.locator("#signed-bytes").textContent();
  const digest = createHmac("sha256", key).update(bytes ?? "").digest("hex");
  assert.ok((await text("[aria-labelledby=signature-title]")).includes(digest));
  assert.match(await text("#request-headers"), new RegExp(`X-Orbitra-Signature t=\\d+,v1=${digest}`));
  assert.equal(verify(got[0].headers, got[0].body, secret).event, "webhook.ping");
});

test("a redelivery succeeds with the same event", async () => {
  await page.click("#redeliver");
  await page.waitForSelector("#state > :first-child .tag.ok");
  await wait(2);
  assert.equal(got[1].headers["x-orbitra-event-id"], got[0].headers["x-orbitra-event-id"]);
  assert.notEqual(got[1].headers["x-orbitra-delivery"], got[0].headers["x-orbitra-delivery"]);
  assert.deepEqual(got[1].body, got[0].body);
  assert.equal(verify(got[1].headers, got[1].body, secret).event, "webhook.ping");
  assert.match(await text("#state"), /Delivered.*Again of.*200.*thanks/);
  await look(page, "webhook-delivery");
});

test("the copied command sends what was sent", async () => {
  const command = (await page.getAttribute("#copy-curl", "data-copy")) ?? "";
  await page.click("#copy-curl");
  await page.waitForFunction(() => document.querySelector("#copy-curl .label")?.textContent === "Copied");
  // Not awaited in one go: the receiver is in this process.
  const answer = await new Promise((done, failed) => {
    execFile("sh", ["-c", `${command} -sS`], (error, stdout) => (error ? failed(error) : done(stdout)));
  });
  assert.equal(answer, "thanks");
  await wait(3);
  assert.deepEqual(got[2].body, got[1].body);
  assert.equal(got[2].headers["x-orbitra-signature"], got[1].headers["x-orbitra-signature"]);
  assert.equal(verify(got[2].headers, got[2].body, secret).event, "webhook.ping");
  assert.throws(() => verify(got[2].headers, got[2].body + " ", secret), /no matching signature/);
});

test("an event is counted by itself and shown when it is asked for", async () => {
  await page.goto(url + hook);
  assert.match(await text("#deliveries"), /webhook\.ping.*Delivered.*webhook\.ping.*Failed/);
  const other = await watched(browser.context);
  await other.goto(`${url}/dashboard/account/keys`);
  await other.fill("#name", "for the webhook");
  await other.click("main button.primary");
  await wait(4);
  await page.waitForSelector("#unseen");
  assert.equal(await text("#unseen"), "1 new. Show");
  assert.ok(!(await text("#deliveries")).includes("api_key.created"));
  await page.click("#unseen");
  await page.waitForFunction(() => document.querySelector("#deliveries")?.textContent?.includes("api_key.created"));
  const body = verify(got[3].headers, got[3].body, secret);
  assert.deepEqual(Object.keys(body), ["event", "timestamp", "data"]);
  assert.equal(body.event, "api_key.created");
  await look(page, "webhook");
  other.nothingWrong();
  await other.close();
});

test("a secret is replaced, and both sign for a while", async () => {
  await page.click("#rotate");
  await look(page, "webhook-rotate");
  await page.click("#rotate-dialog .primary");
  await page.waitForSelector("#new-secret");
  const second = await page.inputValue("#secret");
  assert.notEqual(second, secret);
  await page.click("#ping");
  await page.waitForURL(/\/deliveries\/dlv_/);
  await wait(5);
  for (const one of [secret, second]) assert.equal(verify(got[4].headers, got[4].body, one).event, "webhook.ping");
  assert.match(await text("[aria-labelledby=signature-title]"), /The second one is made with the secret before/);
});

test("a receiver that wants no more is said on the first page until somebody changes it", async () => {
  await page.goto(url + hook);
  next.push([410, "no more"]);
  await page.click("#ping");
  await page.waitForURL(/\/deliveries\/dlv_/);
  await page.goto(`${url}/dashboard`);
  assert.match(await text("[id^=silent-whk_]"), /Nothing is sent to http:\/\/127\.0\.0\.1:\d+\/hook any more: the receiver answered 410/);
  await look(page, "home-webhook-off");
  await page.click("[id^=see-whk_]");
  await page.waitForURL(url + hook);
  assert.match(await text("#standing"), /Gone/);
  await page.click("#enable");
  await page.waitForSelector("#ping");
  await page.goto(`${url}/dashboard`);
  assert.equal(await page.locator("[id^=silent-whk_]").count(), 0);
});

test("everything works without script", async () => {
  // What it shows is about to be deleted.
  await page.goto(list);
  const plain = await open({ javaScriptEnabled: false });
  try {
    const reader = await plain.context.newPage();
    await begin(reader);
    await reader.goto(list);
    assert.match(await reader.locator("main").innerText(), /Active/);
    await reader.goto(url + hook);
    await reader.click("#disable");
    await reader.waitForSelector("#enable");
    assert.match(await reader.locator(".notice").innerText(), /disabled/);
    await reader.click("#enable");
    await reader.waitForSelector("#replay");
    await reader.click("#replay");
    assert.match(await reader.locator(".notice").innerText(), /Everything has arrived|sent/);
    await reader.fill("#description", "changed");
    await reader.click("#save-webhook");
    assert.match(await reader.locator(".notice").innerText(), /saved/);
    await reader.click("#delete");
    await reader.click("#delete-dialog .danger");
    await reader.waitForURL(list);
    assert.match(await reader.locator("main").innerText(), /A webhook tells a program/);
  } finally {
    await plain.close();
  }
  page.nothingWrong();
});
