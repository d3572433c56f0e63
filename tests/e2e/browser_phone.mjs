// JsSIP in headless Chromium: two phones in one page, over the WebSocket that is named. Says what happened as one line of JSON.
// node browser_phone.mjs CHROMIUM PAGE URL DOMAIN USER1 PASSWORD1 USER2 PASSWORD2 PROFILE_FOLDER
import { chromium } from 'playwright-core';
import { buildSync } from 'esbuild';

const [executablePath, pageUrl, url, domain, user1, password1, user2, password2, folder] = process.argv.slice(2);
const bundle = buildSync({ stdin: { contents: "import JsSIP from 'jssip'; window.JsSIP = JsSIP;", resolveDir: process.cwd() },
  bundle: true, format: 'iife', write: false }).outputFiles[0].text;
const context = await chromium.launchPersistentContext(folder, { executablePath, headless: true, ignoreHTTPSErrors: true,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--no-proxy-server', '--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebSockets',
    '--ignore-certificate-errors', '--disable-dev-shm-usage'] });
try {
  const page = await context.newPage();
  await page.route('**/*', route => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>phones</title>' }));
  await page.goto(pageUrl);
  await page.addScriptTag({ content: bundle });
  const lines = [];
  page.on('console', m => lines.push(m.text()));
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`not done in time; ${lines.slice(-20).join('; ')}`)), 30000));
  const result = await Promise.race([late, page.evaluate(async ({ url, domain, users }) => {
    const seen = [];
    const once = (target, good, bad = []) => new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${good}; seen ${seen.join(' ')}`)), 20000);
      target.on(good, e => { clearTimeout(timer); seen.push(good); resolve(e); });
      for (const name of bad)
        target.on(name, e => { clearTimeout(timer); reject(new Error(`${name}: ${e && (e.cause || JSON.stringify(e.error || ''))}`)); });
    });
    const phones = [];
    for (const [user, password] of users) {
      const ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(url)], uri: `sip:${user}@${domain}`, password,
        register_expires: 120, session_timers: false, user_agent: 'JsSIP in Chromium' });
      const registered = once(ua, 'registered', ['registrationFailed']);
      ua.start();
      await registered;
      phones.push(ua);
    }
    const [a, b] = phones;
    const rings = new Promise(resolve => b.on('newRTCSession', e => { if (e.originator === 'remote') resolve(e); }));
    // signalling is what is looked at: no sound, and no waiting for candidates (there are no networks to find any in)
    Object.defineProperty(RTCPeerConnection.prototype, 'iceGatheringState', { get: () => 'complete' });
    const plain = e => { if (e.originator === 'local') e.sdp = e.sdp.replace('UDP/TLS/RTP/SAVPF', 'RTP/AVP'); };
    const options = { eventHandlers: { sdp: plain }, mediaConstraints: { audio: false, video: false }, rtcOfferConstraints: { offerToReceiveAudio: true } };
    const session = a.call(`sip:${users[1][0]}@${domain}`, options);
    for (const name of ['sending', 'progress', 'failed', 'ended', 'getusermediafailed', 'peerconnection', 'icecandidate'])
      session.on(name, e => console.log('caller', name, (e && e.cause) || ''));
    const incoming = await rings;
    const from = incoming.request.from.uri.user, via = incoming.request.getHeader('Via'), contact = incoming.request.getHeader('Contact');
    const ended = new Promise(resolve => { session.on('failed', e => resolve(e.cause)); session.on('ended', e => resolve(e.cause)); });
    incoming.session.terminate({ status_code: 486 });
    const cause = await ended;
    // and one that the caller gives up
    const rings2 = new Promise(resolve => b.on('newRTCSession', e => { if (e.originator === 'remote') resolve(e); }));
    const second = a.call(`sip:${users[1][0]}@${domain}`, options);
    const incoming2 = await rings2;
    const gone = new Promise(resolve => incoming2.session.on('failed', e => resolve(e.cause)));
    second.terminate();
    const cancelled = await gone;
    for (const ua of phones) {
      const out = once(ua, 'unregistered');
      ua.unregister();
      await out;
      ua.stop();
    }
    return { from, via, contact, cause, cancelled };
  }, { url, domain, users: [[user1, password1], [user2, password2]] })]);
  console.log(JSON.stringify(result));
} catch (e) {
  console.log(JSON.stringify({ error: String(e) }));
} finally {
  await context.close();
}
process.exit(0);
