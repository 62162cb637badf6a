// @ts-check
// One event stream per browser; a region fetches itself again when its topic changes.
// Events carry topics only, so a lost or doubled one does no harm, and there is one way to render: the server's.

// The only Trusted Types policy. It is given answers of our own origin and nothing else.
const policy = /** @type {any} */ (window).trustedTypes?.createPolicy("orbitra", { createHTML: (html) => html })
  ?? { createHTML: (html) => html };

/** Turns HTML the server rendered into nodes. @param {string} html */
export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = policy.createHTML(html);
  return template.content;
}

const root = document.documentElement;
const regions = () => /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-live]"));
const show = (id, on = true) => { const line = document.getElementById(id); if (line) line.hidden = !on; };

// ---- Regions ----

const state = new WeakMap(); // region -> {busy, again, html, said}
// Every answer masks its form tokens anew; that alone is no change.
const comparable = (html) => html.replace(/(name="csrf" value=")[^"]*/g, "$1");

/** @param {HTMLElement} region */
async function refresh(region) {
  const own = state.get(region) ?? {};
  state.set(region, own);
  if (own.busy) { own.again = true; return; }
  // A menu or a question that is open must not vanish under the pointer.
  if (region.querySelector(":popover-open")) { setTimeout(() => refresh(region), 1000); return; }
  own.busy = true;
  try {
    const answer = await fetch(region.dataset.src ?? "", { headers: { "X-Orbitra-Part": region.id } });
    if (answer.status === 401) return show("signed-out");
    if (!answer.ok) return;
    const html = await answer.text();
    if (own.html === comparable(html)) return;
    own.html = comparable(html);
    const next = parse(html).firstElementChild;
    if (next && !region.querySelector(":popover-open")) replace(region, next, own);
  } catch { /* offline: the next event, or becoming visible, tries again */ } finally {
    own.busy = false;
    if (own.again) { own.again = false; setTimeout(() => refresh(region), 250); }
  }
}

function replace(region, next, own) {
  const focused = region.contains(document.activeElement) ? document.activeElement?.id : "";
  const open = [...region.querySelectorAll("details[open][id]")].map((details) => details.id);
  region.replaceChildren(...next.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  tell(region);
  dispatchEvent(new Event("orbitra:refreshed"));
  const say = region.querySelector("[data-say]")?.dataset.say;
  if (say && say !== own.said) {
    own.said = say;
    const announcer = document.getElementById("announcer");
    if (announcer) announcer.textContent = say;
  }
}

/** A running thing writes its state into the tab's title and icon. */
function tell(region) {
  const told = region.querySelector("[data-title]");
  if (!told) return;
  document.title = told.dataset.title;
  const icon = /** @type {HTMLLinkElement|null} */ (document.querySelector("link[rel=icon]"));
  if (icon && told.dataset.icon && !icon.href.endsWith(told.dataset.icon)) icon.href = told.dataset.icon;
}

function onTopic(topic) {
  for (const region of regions())
    if (topic === "*" || region.dataset.live?.split(" ").includes(topic)) refresh(region);
}
const refreshAll = () => regions().forEach((region) => refresh(region));

// ---- The stream, held by one tab ----

const NAME = "orbitra-live";
// How far the server was when it made this page: what happened until the stream opens comes first.
const began = Number(/** @type {HTMLElement|null} */ (document.querySelector("[data-position]"))?.dataset.position ?? 0);
let source = /** @type {EventSource|null} */ (null), lastId = began, lostTimer = 0, heard = Date.now(), leading = false;
const channel = new BroadcastChannel(NAME);
const recent = /** @type {{id: number, topic: string}[]} */ ([]); // what the leader tells a tab that has just opened
// What the leader says, every tab does, the leader included.
function act(message) {
  heard = Date.now();
  if (message.id) {
    lastId = message.id;
    recent.push(message);
    if (recent.length > 200) recent.shift();
  }
  if (message.since && leading) recent.filter(({ id }) => id > message.since).forEach((old) => channel.postMessage(old));
  if (message.topic) onTopic(message.topic);
  if (message.build && message.build !== root.dataset.build) show("updated");
  if ("open" in message) {
    clearTimeout(lostTimer);
    if (message.open) show("stream-lost", false);
    else lostTimer = setTimeout(() => show("stream-lost"), 5000);
  }
}
channel.onmessage = (message) => act(message.data);
const tellAll = (message) => { act(message); channel.postMessage(message); };

function connect() {
  source?.close();
  const stream = new EventSource(`/dashboard/live?after=${lastId}`);
  source = stream;
  stream.addEventListener("hello", (event) => tellAll({ open: true, build: JSON.parse(event.data).build }));
  stream.onopen = () => tellAll({ open: true });
  stream.onmessage = (event) => tellAll({ id: Number(event.lastEventId), topic: JSON.parse(event.data).topic });
  stream.onerror = () => {
    tellAll({ open: false });
    if (stream.readyState === EventSource.CLOSED) again(stream); // otherwise the browser tries by itself
  };
}

/** The server refused the stream: signed out, or restarting. */
async function again(stream) {
  const asked = new AbortController();
  const status = await fetch("/dashboard/live", { signal: asked.signal }).then((answer) => answer.status, () => 0);
  asked.abort();
  if (status === 401) show("signed-out");
  setTimeout(() => { if (source === stream) connect(); }, status === 401 ? 30000 : 5000);
}

/** @param {boolean} steal */
function stand(steal) {
  navigator.locks.request(NAME, { steal }, () => new Promise(() => { leading = true; connect(); }))
    .catch(() => { // another tab took the lead because this one was frozen
      leading = false; source?.close(); source = null; stand(false);
    });
}

// What no event tells of is looked at while somebody sees it.
for (const region of regions())
  if (region.dataset.every) setInterval(() => { if (!document.hidden) refresh(region); }, Number(region.dataset.every) * 1000);

if (regions().length) {
  if (navigator.locks) {
    stand(false);
    channel.postMessage({ since: began });
    setInterval(() => {
      if (leading) channel.postMessage({});
      // A frozen leader holds the lock but says nothing.
      else if (!document.hidden && Date.now() - heard > 30000) { heard = Date.now(); stand(true); }
    }, 10000);
  } else { // plain HTTP has no Web Locks: only a visible tab may hold one of the browser's six connections
    const visible = () => { if (document.hidden) { source?.close(); source = null; } else if (!source) connect(); };
    document.addEventListener("visibilitychange", visible);
    visible();
  }
  document.addEventListener("visibilitychange", () => { if (!document.hidden) { heard = Date.now(); refreshAll(); } });
  addEventListener("pageshow", (event) => { if (event.persisted) refreshAll(); });
}
