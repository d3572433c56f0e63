// JsSIP in headless Chromium calls a number and is called, with sound: the fake device's beeps go out, what comes is looked at. Lines of JSON.
// node browser_call.mjs CHROMIUM PAGE URL DOMAIN USER PASSWORD NUMBER HZ PROFILE_FOLDER
import { earsInit, launch, tell } from './chromium.mjs';
import { buildSync } from 'esbuild';

const [executablePath, pageUrl, url, domain, user, password, number, hz, folder] = process.argv.slice(2);
const bundle = buildSync({ stdin: { contents: "import JsSIP from 'jssip'; window.JsSIP = JsSIP;", resolveDir: process.cwd() },
  bundle: true, format: 'iife', write: false }).outputFiles[0].text;
const context = await launch(folder, executablePath);
await earsInit(context);
await tell(context, pageUrl, bundle, async ({ url, domain, user, password, number, hz }) => {
  const ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(url)], uri: `sip:${user}@${domain}`, password, register_expires: 120, session_timers: false });
  const registered = new Promise((good, bad) => { ua.on('registered', good); ua.on('registrationFailed', e => bad(new Error(e.cause))); });
  ua.start();
  await registered;
  console.log(JSON.stringify({ registered: true }));
  const hears = async session => {
    const pc = session.connection;
    while (!pc.getReceivers().length || pc.connectionState !== 'connected')
      await new Promise(r => setTimeout(r, 50));
    await hearsTone(pc.getReceivers()[0].track, hz, -50);
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
}, { url, domain, user, password, number, hz: Number(hz) }, 40000);
