// The phone in the page: SIP over WebSocket by JsSIP, which is fetched when the phone is switched on. What the switch says of
// a call (names, numbers) is text. One call has the microphone at a time: who takes another one puts the first on hold.
import { reactive, watch } from 'vue';
import { get, may, session } from './api.js';
import { store, stored } from './i18n.js';
import { note } from './notes.js';
import { quality } from './quality.js';

export const phone = reactive({ isOffered: false, isOpen: false, state: 'off', error: '', calls: [], mics: [], speakers: [],
  mic: stored('mic', ''), speaker: stored('speaker', '') });
const sessions = new Map(), sounds = new Map(); // JsSIP's sessions, and what is heard of them
let ua = null, JsSIP = null, access = null, tick = 0, ring = null, word = '';

/* ---- on and off ---- */
export async function phoneLook() {
  access = may('agent') && session.user ? await get('/v1/phone').catch(() => null) : null;
  phone.isOffered = Boolean(access?.urls.length);
  if (phone.isOffered && stored('phone', 'off') === 'on')
    phoneOn();
}

const sockets = () => access.urls.filter(u => location.protocol !== 'https:' || u.startsWith('wss:')).map(u => new JsSIP.WebSocketInterface(u));

export async function phoneOn() {
  if (ua || !access)
    return;
  store('phone', 'on');
  phone.error = '';
  if (!navigator.mediaDevices || !window.RTCPeerConnection) {
    phone.state = 'insecure';
    return;
  }
  phone.state = 'connecting';
  JsSIP ||= (await import('jssip')).default;
  const list = sockets();
  if (!list.length) {
    phone.state = 'insecure';
    return;
  }
  ua = new JsSIP.UA({ sockets: list, uri: `sip:${access.user}@${access.domain}`, authorization_user: access.user, ha1: access.a1, realm: access.domain,
    display_name: access.name || access.user, register_expires: 300, session_timers: false, user_agent: 'Tandem console' });
  ua.on('registered', () => { phone.state = 'on'; });
  ua.on('unregistered', () => { phone.state = phone.state === 'off' ? 'off' : 'connecting'; });
  ua.on('registrationFailed', e => { phone.state = 'failed'; phone.error = String(e.cause || ''); });
  ua.on('disconnected', () => { phone.state = phone.state === 'off' ? 'off' : 'connecting'; });
  ua.on('newRTCSession', onSession);
  ua.start();
  tick = setInterval(measure, 2000);
  devices();
}

export function phoneOff(isForgotten = true) {
  if (isForgotten)
    store('phone', 'off');
  phone.state = 'off';
  phone.error = '';
  clearInterval(tick);
  ua?.terminateSessions();
  ua?.stop();
  ua = null;
  phone.calls.length = 0;
  sessions.clear();
  ringSet(false);
}
watch(() => session.role, role => {
  if (role === 'none') {
    phoneOff(false);
    phone.isOffered = phone.isOpen = false;
    access = null;
  }
});

/* ---- devices ---- */
export async function devices() {
  const all = await navigator.mediaDevices?.enumerateDevices().catch(() => []) || [];
  const of = kind => all.filter(d => d.kind === kind && d.deviceId).map(d => ({ id: d.deviceId, label: d.label || d.deviceId.slice(0, 8) }));
  phone.mics = of('audioinput');
  phone.speakers = of('audiooutput');
}
if (navigator.mediaDevices)
  navigator.mediaDevices.addEventListener('devicechange', devices);
const audio = () => ({ audio: phone.mic && phone.mics.some(m => m.id === phone.mic) ? { deviceId: { exact: phone.mic } } : true, video: false });

export async function micSet(id) {
  phone.mic = id;
  store('mic', id);
  for (const s of sessions.values()) {
    const sender = s.connection?.getSenders().find(x => x.track?.kind === 'audio');
    if (!sender)
      continue;
    const track = (await navigator.mediaDevices.getUserMedia(audio())).getAudioTracks()[0];
    track.enabled = sender.track.enabled;
    sender.track.stop();
    await sender.replaceTrack(track);
  }
}

export function speakerSet(id) {
  phone.speaker = id;
  store('speaker', id);
  for (const sound of sounds.values())
    sound.setSinkId?.(id).catch(() => {});
}

/* ---- calls ---- */
const viewOf = id => phone.calls.find(c => c.id === id);
const options = () => ({ mediaConstraints: audio(), pcConfig: { iceServers: [] } });
const uri = number => `sip:${encodeURIComponent(number).replace(/%(2B|2A|23|40)/g, x => decodeURIComponent(x))}@${access.domain}`;

function ringSet(isOn) {
  if (isOn === Boolean(ring))
    return;
  if (!isOn) {
    ring.close();
    ring = null;
    return;
  }
  ring = new AudioContext();
  const tone = ring.createOscillator(), loud = ring.createGain();
  tone.frequency.value = 440;
  loud.gain.value = 0;
  for (let at = 0; at < 120; at += 3) {
    loud.gain.setValueAtTime(0.15, ring.currentTime + at);
    loud.gain.setValueAtTime(0, ring.currentTime + at + 1);
  }
  tone.connect(loud).connect(ring.destination);
  tone.start();
}
const ringLook = () => ringSet(phone.calls.some(c => c.state === 'ringing'));

function hear(id, pc) {
  pc.addEventListener('track', e => {
    const sound = sounds.get(id) || new Audio();
    sounds.set(id, sound);
    sound.srcObject = e.streams[0] || new MediaStream([e.track]);
    if (phone.speaker)
      sound.setSinkId?.(phone.speaker).catch(() => {});
    sound.play().catch(() => {});
  });
}

function over(id, cause) {
  sounds.get(id)?.pause();
  sounds.delete(id);
  sessions.delete(id);
  const at = phone.calls.findIndex(c => c.id === id);
  if (at >= 0)
    phone.calls.splice(at, 1);
  if (cause && !['Terminated', 'Canceled'].includes(cause))
    note(cause, true);
  ringLook();
}

function onSession({ session: s, originator, request }) {
  const id = s.id, isIn = originator === 'remote', far = isIn ? s.remote_identity : null;
  phone.calls.push({ id, isIn, number: isIn ? far.uri.user || '' : s.remote_identity.uri.user, name: isIn ? far.display_name || '' : '', state: isIn ? 'ringing' : 'calling',
    since: Date.now() / 1000, isMuted: false, quality: null });
  sessions.set(id, s);
  phone.isOpen = true;
  let gathered = 0;
  s.on('icecandidate', e => { gathered ||= setTimeout(e.ready, 400); });
  s.on('peerconnection', e => hear(id, e.peerconnection));
  if (s.connection)
    hear(id, s.connection);
  s.on('progress', () => { const c = viewOf(id); if (c && !c.isIn) c.state = 'rings'; });
  s.on('confirmed', () => { const c = viewOf(id); if (c) { c.state = 'active'; c.since = Date.now() / 1000; } ringLook(); devices(); });
  s.on('hold', () => held(id));
  s.on('unhold', () => held(id));
  s.on('ended', e => over(id, e.cause));
  s.on('failed', e => over(id, e.cause));
  s.on('getusermediafailed', () => note('getUserMedia', true));
  if (isIn && word && request.getHeader('X-Tandem-Console') === word) {
    word = '';
    answer(id);
  }
  ringLook();
}

function held(id) {
  const c = viewOf(id), on = sessions.get(id)?.isOnHold();
  if (c && (c.state === 'active' || c.state === 'held'))
    c.state = on?.local ? 'held' : 'active';
}

function othersHold(id) {
  for (const c of phone.calls)
    if (c.id !== id && c.state === 'active')
      sessions.get(c.id)?.hold();
}

export function call(number) {
  othersHold('');
  ua.call(uri(number), options());
}
export function answer(id) {
  othersHold(id);
  sessions.get(id)?.answer(options());
}
export const hangUp = id => sessions.get(id)?.terminate(viewOf(id)?.state === 'ringing' ? { status_code: 486 } : undefined);
export function hold(id) {
  const s = sessions.get(id);
  if (s?.isOnHold().local) {
    othersHold(id);
    s.unhold();
  } else {
    s?.hold();
  }
}
export function mute(id) {
  const s = sessions.get(id), c = viewOf(id);
  c.isMuted = !c.isMuted;
  if (c.isMuted)
    s.mute({ audio: true });
  else
    s.unmute({ audio: true });
}
export const key = (id, k) => sessions.get(id)?.sendDTMF(k, { transportType: JsSIP.C.DTMF_TRANSPORT.RFC2833 });

// To a number, or (with) joined to another call of ours.
export const transfer = (id, number) => new Promise((good, bad) => {
  const s = sessions.get(id), other = sessions.get(number);
  const eventHandlers = { accepted: good, failed: e => bad(new Error(e?.message?.reason_phrase || e?.cause || 'REFER')) , requestFailed: e => bad(new Error(e?.cause || 'REFER')) };
  s.refer(other ? other.remote_identity.uri : uri(number), other ? { replaces: other, eventHandlers } : { eventHandlers });
});

// A call that this page asks the switch for is answered without a click: it brings the word.
export function expect() {
  if (phone.state !== 'on')
    return {};
  word = [...crypto.getRandomValues(new Uint8Array(12))].map(b => b.toString(16).padStart(2, '0')).join('');
  setTimeout(w => { word = word === w ? '' : word; }, 30000, word);
  return { 'sip_h_X-Tandem-Console': word };
}

async function measure() {
  for (const c of phone.calls) {
    const pc = sessions.get(c.id)?.connection;
    if (pc && c.state === 'active')
      c.quality = quality(await pc.getStats(), c.quality);
  }
}
