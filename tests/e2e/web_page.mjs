// A headless Chromium that does what it is told: a line of JSON in ({"op": ..., ...}), a line of JSON out ({"ok": ...} or {"error": ...}).
// node web_page.mjs CHROMIUM ORIGIN PROFILE_FOLDER
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import readline from 'node:readline';
import { chromium } from 'playwright-core';

const [executablePath, origin, folder] = process.argv.slice(2);
const axeText = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const context = await chromium.launchPersistentContext(folder, { executablePath, headless: true, viewport: { width: 1440, height: 860 }, locale: 'en-US', colorScheme: 'light',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--no-proxy-server',
    '--disable-dev-shm-usage', '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets,WebRtcHideLocalIpsWithMdns', '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required', '--allow-loopback-in-peer-connection'] });
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
    const pc = window.pcs.filter(p => p.connectionState !== 'closed').pop(), audio = new Audio(), ctx = new AudioContext(), analyser = ctx.createAnalyser();
    const track = pc.getReceivers().find(r => r.track.kind === 'audio').track;
    audio.srcObject = new MediaStream([track]);
    audio.play().catch(() => {});
    analyser.fftSize = 8192;
    ctx.createMediaStreamSource(audio.srcObject).connect(analyser);
    const bins = new Float32Array(analyser.frequencyBinCount);
    let loudest = 0, hits = 0;
    for (let i = 0; i < 150 && hits < 5; i++) {
      await new Promise(r => setTimeout(r, 100));
      analyser.getFloatFrequencyData(bins);
      let at = 0;
      bins.forEach((v, k) => { if (v > bins[at]) at = k; });
      loudest = at * ctx.sampleRate / analyser.fftSize;
      hits = Math.abs(loudest - wanted) < 20 && bins[at] > -60 ? hits + 1 : 0;
    }
    await ctx.close();
    if (hits < 5)
      throw new Error(`${wanted} Hz is not heard but ${loudest}; ${pc.connectionState} ${pc.iceConnectionState}`);
    return loudest;
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
