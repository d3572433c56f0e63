// Two JsSIP phones in headless Chromium, sound and video (its fake devices): one calls the other. Says what each saw and heard. Lines of JSON.
// node browser_video.mjs CHROMIUM PAGE URL DOMAIN USER1 PASSWORD1 USER2 PASSWORD2 CODEC[,HELPER...][,-nack] BUNDLE_POLICY PROFILE_FOLDER [NUMBER SECONDS]
// -nack: lost packets are not asked for, so that browsers send parity however near they are; NUMBER: what is dialled, else USER2; SECONDS: it goes on for so long before it is looked at again.
import { launch, tell } from './chromium.mjs';
import { buildSync } from 'esbuild';

const [executablePath, pageUrl, url, domain, user1, password1, user2, password2, codec, bundlePolicy, folder, number, seconds] = process.argv.slice(2);
const bundle = buildSync({ stdin: { contents: "import JsSIP from 'jssip'; window.JsSIP = JsSIP;", resolveDir: process.cwd() },
  bundle: true, format: 'iife', write: false }).outputFiles[0].text;
const context = await launch(folder, executablePath);
await tell(context, pageUrl, bundle, async ({ url, domain, users, codec, bundlePolicy, number, seconds }) => {
  const phones = [];
  for (const [user, password] of users) {
    const ua = new JsSIP.UA({ sockets: [new JsSIP.WebSocketInterface(url)], uri: `sip:${user}@${domain}`, password, register_expires: 120, session_timers: false });
    const registered = new Promise((good, bad) => { ua.on('registered', good); ua.on('registrationFailed', e => bad(new Error(e.cause))); });
    ua.start();
    await registered;
    phones.push(ua);
  }
  console.log(JSON.stringify({ registered: true }));
  const [a, b] = phones;
  // only this codec, and what goes with it, in the caller's offer
  const only = e => {
    if (e.originator !== 'local' || e.type !== 'offer')
      return;
    const sections = e.sdp.split(/(?=m=)/);
    e.sdp = sections.map(s => {
      if (!s.startsWith('m=video'))
        return s;
      const keep = [...s.matchAll(/a=rtpmap:(\d+) (\S+)\//g)].filter(m => codec.split(',').includes(m[2])).map(m => m[1]);
      return s.split('\r\n').filter(l => { const m = l.match(/^a=(?:rtpmap|fmtp|rtcp-fb):(\d+)/); return (!m || keep.includes(m[1])) && !(codec.includes('-nack') && /^a=rtcp-fb:\d+ nack$/.test(l)); })
        .map(l => l.startsWith('m=video') ? l.split(' ').slice(0, 3).concat(keep).join(' ') : l).join('\r\n');
    }).join('');
  };
  const options = { mediaConstraints: { audio: true, video: { width: 320, height: 240, frameRate: 15 } }, pcConfig: { iceServers: [], bundlePolicy } };
  const rings = new Promise(r => b.on('newRTCSession', e => { if (e.originator === 'remote') r(e.session); }));
  const failed = s => new Promise((_, bad) => s.on('failed', e => bad(new Error(`failed: ${e.cause}`))));
  const session = a.call(`sip:${number}@${domain}`, { ...options, eventHandlers: { sdp: only } });
  session.on('icecandidate', e => e.ready());
  const broken = s => ['peerconnection:setremotedescriptionfailed', 'peerconnection:createanswerfailed', 'peerconnection:setlocaldescriptionfailed']
    .forEach(name => s.on(name, e => console.log(name, String(e))));
  broken(session);
  const confirmed = new Promise(r => session.on('confirmed', r));
  const incoming = await Promise.race([rings, failed(session)]);
  incoming.on('icecandidate', e => e.ready());
  broken(incoming);
  incoming.answer(options);
  await Promise.race([confirmed, failed(session), failed(incoming)]);
  const read = async s => {
    const all = [...(await s.connection.getStats()).values()], of = kind => all.find(x => x.type === 'inbound-rtp' && x.kind === kind) || {};
    const v = of('video'), sound = of('audio'), out = all.find(x => x.type === 'outbound-rtp' && x.kind === 'video') || {};
    const c = all.find(x => x.id === v.codecId) || {};
    return { frames: v.framesDecoded || 0, width: v.frameWidth, codec: c.mimeType, energy: sound.totalAudioEnergy || 0, lost: v.packetsLost, pli: out.pliCount, nack: out.nackCount,
      keys: v.keyFramesDecoded, transports: all.filter(x => x.type === 'transport').length, dtls: all.filter(x => x.type === 'transport').map(x => x.dtlsState),
      target: out.targetBitrate, packets: v.packetsReceived, asked: v.nackCount,
      sound: { redundant: sound.fecPacketsReceived, unused: sound.fecPacketsDiscarded, lost: sound.packetsLost, packets: sound.packetsReceived,
        concealed: sound.concealedSamples, samples: sound.totalSamplesReceived } };
  };
  const watch = async (s, wanted) => {
    for (const r of s.connection.getReceivers()) { // what nobody plays is not measured
      const player = document.createElement(r.track.kind);
      player.srcObject = new MediaStream([r.track]);
      player.play().catch(() => {});
    }
    for (let i = 0, was = 0; ; i++) {
      await new Promise(r => setTimeout(r, 200));
      const now = await read(s);
      if (now.frames >= wanted && now.energy > 0.001)
        return now;
      if (i > 100)
        throw new Error(`nothing is seen or heard: ${JSON.stringify(now)} ${s.connection.iceConnectionState} ${s.connection.connectionState}`);
    }
  };
  const seen = await Promise.all([watch(session, 30), watch(incoming, 30)]);
  await new Promise(r => setTimeout(r, 1000 * seconds));
  // held and taken back, it goes on
  await new Promise((good, bad) => session.hold({}, good) || bad(new Error('no hold')));
  await new Promise((good, bad) => session.unhold({}, good) || bad(new Error('no unhold')));
  const later = await Promise.all([read(session), read(incoming)]);
  const after = await Promise.all([watch(session, later[0].frames + 15), watch(incoming, later[1].frames + 15)]);
  const ended = new Promise(r => incoming.on('ended', r));
  session.terminate();
  await ended;
  for (const ua of phones)
    ua.stop();
  return { seen, after };
}, { url, domain, users: [[user1, password1], [user2, password2]], codec, bundlePolicy, number: number || user2, seconds: Number(seconds || 0) }, 50000 + 1000 * (seconds || 0));
