// Mail with consent: from the settings of a mail server to the link in the mail that asks, the answer, and its end.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before } from "node:test";
import { begin, chapters, look, open, tabTo, url, watched } from "./support.mjs";

const SERVER = path.join(import.meta.dirname, "../it/support/mail_server.py");
// The distribution's own, for which aiosmtpd is a package.
const PYTHON = "/usr/bin/python3";
const WINDOWS = [[1440, 900], [1280, 800], [360, 740], [320, 640]];
const OPS = "operations-of-the-northern-department@mail.example.com";
const list = `${url}/dashboard/team/webhooks`;
let browser, page, server, port, taken, hook, link;

before(async () => {
  taken = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "orbitra-mail-")), "taken");
  server = spawn(PYTHON, [SERVER, "none", taken], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(server.stdout, "data");
  port = String(line).trim();
  browser = await open();
  // A webhook that is deleted is still asked for by its own page, until the browser has left it.
  page = await watched(browser.context, { expected: [404, 422] });
  await begin(page);
});
after(async () => {
  await browser?.close();
  server?.kill();
  if (taken) fs.rmSync(path.dirname(taken), { recursive: true, force: true });
});

const test = chapters(120_000);

const text = async (selector, of = page) => (await of.locator(selector).innerText()).replace(/\s+/g, " ");

/** Waits until the mail server has taken this much. */
async function mails(count) {
  let all = [];
  for (let tries = 0; all.length < count && tries < 1000; tries++) {
    await new Promise((go) => setTimeout(go, 20));
    const lines = fs.existsSync(taken) ? fs.readFileSync(taken, "utf8").split("\n").filter(Boolean) : [];
    all = lines.map((line) => JSON.parse(line));
  }
  assert.ok(all.length >= count, `${all.length} of ${count} mails`);
  return all;
}

/** The text of a mail, decoded (RFC 2045 section 6.7). */
const decoded = ({ content }) => content.replaceAll("=\r\n", "").replaceAll("=3D", "=");

/** Somebody without an account, with a browser of their own. */
async function stranger(tell, options = {}) {
  const other = await open(options);
  try {
    const reader = await watched(other.context, { expected: [404, 410] });
    await tell(reader);
    reader.nothingWrong();
  } finally {
    await other.close();
  }
}

test("a mail server is set, and a test mail arrives", async () => {
  await page.goto(`${url}/dashboard/system`);
  await page.fill("#host", "127.0.0.1");
  await page.fill("#port", port);
  await page.selectOption("#security", "none");
  await page.fill("#sender", "Orbitra <orbitra@example.com>");
  await page.click("#save-mail");
  await page.waitForSelector("#test-mail");
  await page.click("#test-mail");
  const [mail] = await mails(1);
  assert.deepEqual(mail.to, ["ada@example.com"]);
  page.nothingWrong();
});

test("an address that is nobody's here is asked, and its webhook says that it waits", async () => {
  await page.goto(list);
  await page.selectOption("#format", "email");
  await page.fill("#url", `mailto:${OPS}`);
  await page.check("#event-all");
  await page.click("#create-webhook");
  await page.waitForSelector("#asked");
  hook = new URL(page.url()).pathname;
  assert.match(await text("#standing"), /Not confirmed Nothing is sent before whoever reads this address has opened the link in the mail that asks\./);
  assert.equal(await page.locator("#ping").count(), 0);
  assert.ok(!(await page.locator("#replay").isVisible()));
  await look(page, "webhook-asked", WINDOWS);
  const mail = decoded((await mails(2))[1]);
  [link] = /http:\/\/\S+\/mail\/[0-9a-f]{64}/.exec(mail) ?? [];
  assert.ok(link?.startsWith(`${url}/mail/`), mail);
  assert.ok(!(await page.content()).includes(link.split("/").pop() ?? ""), "the link is for the reader of the mail alone");
  await page.goto(list);
  assert.match(await text("main .table"), /Not confirmed/);
  await look(page, "webhooks-asked", WINDOWS);
  await page.goto(url + hook);
});

test("a link that is not whole says so", async () => {
  await stranger(async (reader) => {
    const answer = await reader.goto(link.slice(0, -1));
    assert.equal(answer.status(), 404);
    assert.match(await text("main", reader), /This link does not work.*Open the link of the newest mail, whole\. Nothing was changed\./);
    await look(reader, "consent-unknown", WINDOWS);
  });
});

test("whoever reads the mail says yes with the keyboard, and the webhook's page knows at once", async () => {
  await stranger(async (reader) => {
    await reader.goto(link);
    assert.equal(await text("h1", reader), "Do you want this mail?");
    assert.match(await text("main", reader), new RegExp(`ada@example\\.com has an account at ${url}.*${OPS}`));
    await look(reader, "consent-question", WINDOWS);
    // A look alone is no answer: programs follow the links in mails.
    assert.match(await text("#standing"), /Not confirmed/);
    await tabTo(reader, "#yes");
    await reader.keyboard.press("Enter");
    await reader.waitForFunction(() => document.querySelector("h1")?.textContent === "You get this mail from now on");
    await look(reader, "consent-agreed", WINDOWS);
  });
  await page.waitForSelector("#ping");
  assert.match(await text("#standing"), /Active/);
  assert.equal(await page.locator("#asked").count(), 0);
  await page.waitForSelector("#replay");
  page.nothingWrong();
});

test("what happens arrives as a mail", async () => {
  await page.click("#ping");
  await page.waitForURL(/\/deliveries\/dlv_/);
  const all = await mails(3);
  assert.deepEqual(all[2].to, [OPS]);
  await page.goto(url + hook);
  assert.match(await text("#deliveries"), /webhook\.ping.*Delivered/);
});

test("a used link says what was answered, and stops the mail without script", async () => {
  await stranger(async (reader) => {
    const answer = await reader.goto(link);
    assert.equal(answer.status(), 410);
    assert.match(await text("main", reader), /This link was used.*has agreed to get mail/);
    await look(reader, "consent-used", WINDOWS);
  });
  await stranger(async (reader) => {
    await reader.goto(link);
    await reader.click("#no");
    assert.match(await text("main", reader), /You get no mail.*nobody of that team can ask again/);
  }, { javaScriptEnabled: false });
  await page.waitForFunction(() => !document.querySelector("#ping"));
  assert.match(await text("#standing"), /Refused Whoever reads this address wants no mail\./);
  await look(page, "webhook-refused", WINDOWS);
  const before = (await mails(3)).length;
  await page.goto(`${url}/dashboard/account/keys`);
  await page.fill("#name", "told to nobody");
  await page.click("main button.primary");
  await page.waitForSelector("#secret");
  await page.goto(url + hook);
  assert.ok(!(await text("#deliveries")).includes("api_key.created"));
  assert.equal((await mails(before)).length, before);
  page.nothingWrong();
});

test("everything is taken back", async () => {
  await page.click("#delete");
  await page.click("#delete-dialog .danger");
  await page.waitForURL(list);
  await page.goto(`${url}/dashboard/system`);
  await page.click("#delete-mail");
  await page.waitForFunction(() => !document.querySelector("#delete-mail"));
  page.nothingWrong();
});
