// A headless Chromium that does what it is told: a line of JSON in ({"op": ..., ...}), a line of JSON out ({"ok": ...} or {"error": ...}).
// node web_page.mjs CHROMIUM ORIGIN PROFILE_FOLDER
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import readline from 'node:readline';
import { earsInit, launch } from './chromium.mjs';

const [executablePath, origin, folder] = process.argv.slice(2);
const axeText = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const context = await launch(folder, executablePath, { viewport: { width: 1440, height: 860 }, locale: 'en-US', colorScheme: 'light' });
await earsInit(context);
const page = context.pages()[0] || await context.newPage();
page.setDefaultTimeout(12000);
// so that a test can cut what the page has open
await context.addInitScript(() => { const Plain = WebSocket; window.cut = []; window.WebSocket = class extends Plain { constructor(...a) { super(...a); window.cut.push(this); } }; });
// and hear what it is told by whom it speaks to
await context.addInitScript(() => { const Plain = RTCPeerConnection; window.pcs = []; window.RTCPeerConnection = class extends Plain { constructor(...a) { super(...a); window.pcs.push(this); } }; });
const asked = {};
const problems = []; // exceptions, refusals by the Content-Security-Policy
page.on('pageerror', e => problems.push(`exception: ${e}`));
page.on('console', m => { if (/Content.Security.Policy|Trusted|Uncaught|Error:/i.test(m.text())) problems.push(m.text()); });

const ops = {
  goto: ({ path }) => page.goto(origin + path).then(r => r && r.status()),
  fill: ({ at, text }) => page.fill(at, text),
  click: ({ at }) => page.click(at),
  press: ({ key }) => page.keyboard.press(key),
  focus: ({ at }) => page.focus(at),
  select: ({ at, value }) => page.selectOption(at, value),
  wait: ({ at, state }) => page.waitForSelector(at, { state: state || 'visible' }).then(() => true),
  text: ({ at }) => page.innerText(at),
  count: ({ at }) => page.locator(at).count(),
  drag: ({ from, to }) => page.dragAndDrop(from, to),
  eval: ({ script }) => page.evaluate(script),
  rows: ({ path, count }) => page.route(`**${path}`, route => route.fulfill({ json: { row_count: count, rows: Array.from({ length: count }, (_, i) => ({ uuid: `u${i}`, call_uuid: `u${i}`,
    direction: 'inbound', created_epoch: '1795757941', name: `sofia/internal/${i}`, cid_name: `Name ${i}`, cid_num: `${100000 + i}`, dest: '9196', callstate: 'ACTIVE', presence_id: '' })) } })),
  // the loudest of what the newest call brings is hz, for half a second
  hears: ({ hz }) => page.evaluate(async wanted => {
    const pc = window.pcs.filter(p => p.connectionState !== 'closed').pop();
    return hearsTone(pc.getReceivers().find(r => r.track.kind === 'audio').track, wanted);
  }, hz),
  // what this path answers from now on
  fake: ({ path, json, status }) => page.route(url => url.pathname === path, route => { (asked[path] ||= []).push(`${route.request().method()} ${route.request().postData() || ''}`); return route.fulfill({ status: status || 200, json }); }),
  real: () => page.unrouteAll({ behavior: 'ignoreErrors' }),
  asked: ({ path }) => asked[path] || [],
  theme: ({ value }) => page.emulateMedia({ colorScheme: value }),
  shot: ({ file }) => page.screenshot({ path: file }),
  problems: () => problems.splice(0),
  async axe() {
    const session = await context.newCDPSession(page); // not bound by the page's policy, as a developer's tools
    await session.send('Runtime.evaluate', { expression: axeText });
    const got = await session.send('Runtime.evaluate', { expression: "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }).then(r => JSON.stringify(r.violations.map(v => ({ id: v.id, nodes: v.nodes.slice(0, 4).map(n => n.html + ' ' + n.failureSummary) }))))",
      awaitPromise: true, returnByValue: true });
    await session.detach();
    return JSON.parse(got.result.value);
  },
};

console.log(JSON.stringify({ ok: 'ready' }));
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { op, ...how } = JSON.parse(line);
  try {
    console.log(JSON.stringify({ ok: (await ops[op](how)) ?? null }));
  } catch (e) {
    console.log(JSON.stringify({ error: String(e).slice(0, 1500), problems: problems.splice(0), page: await page.innerText('body').catch(() => '') }));
  }
}
await context.close();
process.exit(0);
