// JsSIP in headless Chromium calls a number and is called, with sound: the fake device's beeps go out, what comes is looked at. Lines of JSON.
// node browser_call.mjs CHROMIUM PAGE URL DOMAIN USER PASSWORD NUMBER HZ PROFILE_FOLDER
import { chromium } from 'playwright-core';
import { buildSync } from 'esbuild';

const [executablePath, pageUrl, url, domain, user, password, number, hz, folder] = process.argv.slice(2);
const bundle = buildSync({ stdin: { contents: "import JsSIP from 'jssip'; window.JsSIP = JsSIP;", resolveDir: process.cwd() },
  bundle: true, format: 'iife', write: false }).outputFiles[0].text;
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
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`not done in time; ${lines.slice(-20).join('; ')}`)), 40000));
  const result = await Promise.race([late, page.evaluate(async ({ url, domain, user, password, number, hz }) => {
    const ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(url)], uri: `sip:${user}@${domain}`, password, register_expires: 120, session_timers: false });
    const registered = new Promise((good, bad) => { ua.on('registered', good); ua.on('registrationFailed', e => bad(new Error(e.cause))); });
    ua.start();
    await registered;
    console.log(JSON.stringify({ registered: true }));
    // hears hz: the loudest of the spectrum, for half a second
    const hears = async session => {
      const pc = session.connection;
      while (!pc.getReceivers().length || pc.connectionState !== 'connected')
        await new Promise(r => setTimeout(r, 50));
      const stream = new MediaStream([pc.getReceivers()[0].track]);
      const audio = new Audio();
      audio.srcObject = stream;
      audio.play().catch(() => {});
      const ctx = new AudioContext(), analyser = ctx.createAnalyser();
      analyser.fftSize = 8192;
      ctx.createMediaStreamSource(stream).connect(analyser);
      const bins = new Float32Array(analyser.frequencyBinCount);
      let loudest = 0, hits = 0;
      for (let i = 0; i < 200 && hits < 5; i++) {
        await new Promise(r => setTimeout(r, 100));
        analyser.getFloatFrequencyData(bins);
        let at = 0;
        bins.forEach((v, k) => { if (v > bins[at]) at = k; });
        loudest = at * ctx.sampleRate / analyser.fftSize;
        hits = Math.abs(loudest - hz) < 20 && bins[at] > -50 ? hits + 1 : 0;
      }
      if (hits < 5)
        throw new Error(`${hz} Hz is not heard but ${loudest}; ${pc.connectionState} ${pc.iceConnectionState}`);
      const stats = [...(await pc.getStats()).values()];
      const transport = stats.find(s => s.type === 'transport') || {};
      return { dtls: transport.dtlsState, srtp: transport.srtpCipher, role: transport.dtlsRole };
    };
    const failed = session => new Promise((_, bad) => session.on('failed', e => bad(new Error(`failed: ${e.cause}`))));
    const options = { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } };
    const session = ua.call(`sip:${number}@${domain}`, options);
    session.on('icecandidate', e => e.ready());
    const out = await Promise.race([failed(session), new Promise(r => session.on('confirmed', r)).then(() => hears(session))]);
    // held and taken back: the same association goes on
    await new Promise((good, bad) => session.hold({}, good) || bad(new Error('no hold')));
    await new Promise((good, bad) => session.unhold({}, good) || bad(new Error('no unhold')));
    await hears(session);
    const ended = new Promise(r => session.on('ended', r));
    session.terminate();
    await ended;
    const rings = new Promise(r => ua.on('newRTCSession', e => { if (e.originator === 'remote') r(e.session); }));
    console.log(JSON.stringify({ ready: true }));
    const incoming = await rings;
    const confirmed = new Promise(r => incoming.on('confirmed', r));
    incoming.on('icecandidate', e => e.ready());
    incoming.answer(options);
    const back = await Promise.race([failed(incoming), confirmed.then(() => hears(incoming))]);
    const over = new Promise(r => incoming.on('ended', r));
    console.log(JSON.stringify({ heard: true }));
    await over;
    ua.stop();
    return { out, back };
  }, { url, domain, user, password, number, hz: Number(hz) })]);
  console.log(JSON.stringify({ result }));
} catch (e) {
  console.log(JSON.stringify({ error: String(e) }));
} finally {
  await context.close();
}
process.exit(0);
