// vertojs (npm) in headless Chromium, unchanged: it logs in, calls a number and is called, with sound: the fake device's beeps go out, what comes
// is looked at. Lines of JSON.
// node browser_verto.mjs CHROMIUM PAGE URL LOGIN PASSWORD NUMBER HZ PROFILE_FOLDER
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { chromium } from 'playwright-core';

const [executablePath, pageUrl, url, login, password, number, hz, folder] = process.argv.slice(2);
const bundle = readFileSync(join(dirname(createRequire(import.meta.url).resolve('vertojs')), 'verto.js'), 'utf8');
const context = await chromium.launchPersistentContext(folder, { executablePath, headless: true, ignoreHTTPSErrors: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--no-proxy-server',
    '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets,WebRtcHideLocalIpsWithMdns', '--ignore-certificate-errors', '--disable-dev-shm-usage',
    '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required', '--allow-loopback-in-peer-connection'] });
try {
  const page = await context.newPage();
  await page.route('**/*', route => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>phone</title>' }));
  await page.goto(pageUrl);
  await page.addScriptTag({ content: bundle });
  const lines = [];
  page.on('console', m => { lines.push(m.text()); if (m.text().startsWith('{')) console.log(m.text()); });
  page.on('pageerror', e => lines.push(String(e)));
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`not done in time; ${lines.slice(-20).join('; ')}`)), 45000));
  const result = await Promise.race([late, page.evaluate(async ({ url, login, password, number, hz }) => {
    const tell = what => console.log(JSON.stringify(what));
    const options = passwd => ({ transportConfig: { socketUrl: url, login, passwd }, rtcConfig: { iceServers: [] }, ice_timeout: 500 });
    const Client = window.Verto.Verto || window.Verto;
    const refused = await new Client(options('wrong')).login().then(() => null, e => e);
    const verto = new Client(options(password));
    await verto.login();
    tell({ in: refused !== null });
    const hears = async track => {
      const audio = new Audio(), ctx = new AudioContext(), analyser = ctx.createAnalyser();
      audio.srcObject = new MediaStream([track]);
      audio.play().catch(() => {});
      analyser.fftSize = 8192;
      ctx.createMediaStreamSource(audio.srcObject).connect(analyser);
      const bins = new Float32Array(analyser.frequencyBinCount);
      let loudest = 0, hits = 0;
      for (let i = 0; i < 200 && hits < 5; i++) {
        await new Promise(r => setTimeout(r, 100));
        analyser.getFloatFrequencyData(bins);
        let at = 0;
        bins.forEach((v, k) => { if (v > bins[at]) at = k; });
        loudest = at * ctx.sampleRate / analyser.fftSize;
        hits = Math.abs(loudest - hz) < 20 && bins[at] > -60 ? hits + 1 : 0;
      }
      if (hits < 5)
        throw new Error(`${hz} Hz is not heard but ${loudest}`);
    };
    const mine = await navigator.mediaDevices.getUserMedia({ audio: true });
    const of = (call, name) => new Promise(r => call.subscribeEvent(name, r));
    const rings = new Promise(r => verto.subscribeEvent('invite', r));
    const call = verto.call(mine.getTracks(), number, { caller_id_name: 'vertojs' }), track = of(call, 'track'), answered = of(call, 'answer');
    await answered;
    await hears(await track);
    call.hold();
    await of(call, 'hold');
    call.unhold();
    await of(call, 'unhold');
    await hears(await track);
    const first = of(call, 'bye');
    tell({ spoken: true });
    await first;
    const given = verto.call(mine.getTracks(), number);
    await of(given, 'media');
    given.hangup();
    tell({ ready: true });
    const incoming = await rings, theirs = of(incoming, 'track'), over = of(incoming, 'bye');
    incoming.answer(mine.getTracks());
    await hears(await theirs);
    tell({ heard: true });
    await over;
    return { from: incoming.options.caller_id_number };
  }, { url, login, password, number, hz: Number(hz) })]);
  console.log(JSON.stringify({ result }));
} catch (e) {
  console.log(JSON.stringify({ error: String(e) }));
} finally {
  await context.close();
}
process.exit(0);
