// What the scripts of the browser tests share: how Chromium is started, a page that has a library in it, and what is heard of a track.
import { chromium } from 'playwright-core';

// More: further settings of the context. The fake devices beep about once a second.
export const launch = (folder, executablePath, more = {}) => chromium.launchPersistentContext(folder, { executablePath, headless: true, ignoreHTTPSErrors: true, ...more,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--no-proxy-server',
    '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets,WebRtcHideLocalIpsWithMdns', '--ignore-certificate-errors', '--disable-dev-shm-usage',
    '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', '--autoplay-policy=no-user-gesture-required', '--allow-loopback-in-peer-connection'] });

// window.hearsTone(track, hz): the loudest of the track is hz for half a second, within twenty; least: how loud, dB.
export const earsInit = context => context.addInitScript(() => {
  window.hearsTone = async (track, hz, least = -60) => {
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
      hits = Math.abs(loudest - hz) < 20 && bins[at] > least ? hits + 1 : 0;
    }
    await ctx.close();
    if (hits < 5)
      throw new Error(`${hz} Hz is not heard but ${loudest}`);
    return loudest;
  };
});

// A page with the text of a script in it does work(arg); what it says and how it ends is told as lines of JSON. Then this program ends.
export async function tell(context, pageUrl, script, work, arg, timeout) {
  const lines = [];
  try {
    const page = await context.newPage();
    await page.route('**/*', route => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>phone</title>' }));
    await page.goto(pageUrl);
    await page.addScriptTag({ content: script });
    page.on('console', m => { lines.push(m.text()); if (m.text().startsWith('{')) console.log(m.text()); });
    page.on('pageerror', e => lines.push(String(e)));
    const late = new Promise((_, reject) => setTimeout(() => reject(new Error('not done in time')), timeout));
    console.log(JSON.stringify({ result: await Promise.race([late, page.evaluate(work, arg)]) }));
  } catch (e) {
    console.log(JSON.stringify({ error: String(e), lines: lines.slice(-20) }));
  } finally {
    await context.close();
  }
  process.exit(0);
}
