// All that is live, by one WebSocket: first the events are subscribed to, then the state is asked for, and what came
// meanwhile is played onto it. Who comes back after a break says the last event's id and is given what he missed; a gap
// that cannot be had any more makes the state be asked for anew. Pages look at `version`, which rises at most four times
// a second: ten thousand rows are not drawn for each event.
import { ref, shallowReactive } from 'vue';
import { get, session } from './api.js';

export const legs = new Map(), registrations = new Map(), conferences = ref([]), parking = ref([]);
export const version = ref(0), isLive = ref(false);
export const recorded = shallowReactive([]); // of the events page, the newest last
export const state = shallowReactive({ clock: Date.now() / 1000 });

const wanted = ['CHANNEL_CREATE', 'CHANNEL_ANSWER', 'CHANNEL_PROGRESS', 'CHANNEL_PROGRESS_MEDIA', 'CHANNEL_BRIDGE', 'CHANNEL_UNBRIDGE', 'CHANNEL_HOLD',
  'CHANNEL_UNHOLD', 'CHANNEL_CALLSTATE', 'CHANNEL_PARK', 'CHANNEL_UNPARK', 'CHANNEL_ORIGINATE', 'CALL_UPDATE', 'CHANNEL_UUID', 'CHANNEL_HANGUP_COMPLETE',
  'CHANNEL_DESTROY', 'RECORD_START', 'RECORD_STOP', 'sofia::register', 'sofia::unregister', 'sofia::expire', 'sofia::gateway_state',
  'conference::maintenance', 'valet_parking::info'];
const RECORDED_MAX = 10000;
let socket = null, lastId = null, isAll = false, early = null, timer = 0, again = 0;
const stale = new Set();

function changed() {
  if (timer)
    return;
  timer = setTimeout(() => { timer = 0; version.value++; }, legs.size > 500 ? 250 : 60);
}
setInterval(() => { state.clock = Date.now() / 1000; }, 1000);

/* ---- legs ---- */
const legOfRow = r => ({ uuid: r.uuid, direction: r.direction, name: r.name, since: Number(r.created_epoch) || 0, cidName: r.cid_name, cidNumber: r.cid_num,
  dest: r.dest, application: r.application, context: r.context, callstate: r.callstate, presence: r.presence_id || '', callUuid: r.call_uuid || r.uuid,
  calleeName: r.callee_name, calleeNumber: r.callee_num, isRecorded: false });

function legOfEvent(e, old) {
  const leg = old || { uuid: e['Unique-ID'], isRecorded: false, calleeName: '', calleeNumber: '', application: '' };
  const at = Number(e['Caller-Channel-Created-Time']);
  leg.direction = e['Call-Direction'] || leg.direction;
  leg.name = e['Channel-Name'] || leg.name || '';
  leg.since = at ? Math.floor(at / 1e6) : leg.since || state.clock;
  leg.cidName = e['Caller-Caller-ID-Name'] ?? leg.cidName ?? '';
  leg.cidNumber = e['Caller-Caller-ID-Number'] ?? leg.cidNumber ?? '';
  leg.dest = e['Caller-Destination-Number'] ?? leg.dest ?? '';
  leg.context = e['Caller-Context'] ?? leg.context ?? '';
  leg.callstate = e['Channel-Call-State'] || leg.callstate || '';
  leg.presence = e['Channel-Presence-ID'] || leg.presence || '';
  leg.callUuid = e['Channel-Call-UUID'] || leg.callUuid || leg.uuid;
  leg.calleeName = e['Caller-Callee-ID-Name'] ?? leg.calleeName;
  leg.calleeNumber = e['Caller-Callee-ID-Number'] ?? leg.calleeNumber;
  return leg;
}

function reask(what) {
  stale.add(what);
  clearTimeout(again);
  again = setTimeout(async () => {
    const list = [...stale];
    stale.clear();
    for (const one of list)
      await loaders[one]().catch(() => {});
    changed();
  }, 150);
}

function play(e) {
  const name = e['Event-Name'], sub = e['Event-Subclass'], uuid = e['Unique-ID'];
  if (name === 'CHANNEL_HANGUP_COMPLETE' || name === 'CHANNEL_DESTROY') {
    legs.delete(uuid);
  } else if (name === 'CHANNEL_UUID') {
    legs.delete(e['Old-Unique-ID']);
    legs.set(uuid, legOfEvent(e));
  } else if (name === 'RECORD_START' || name === 'RECORD_STOP') {
    const leg = legs.get(uuid);
    if (leg)
      leg.isRecorded = name === 'RECORD_START';
  } else if (sub && sub.startsWith('sofia::')) {
    reask('registrations');
  } else if (sub === 'conference::maintenance') {
    reask('conferences');
  } else if (sub === 'valet_parking::info') {
    reask('parking');
  } else if (name && name.startsWith('CHANNEL_') || name === 'CALL_UPDATE') {
    if (uuid && e['Channel-Call-State'] !== 'HANGUP')
      legs.set(uuid, legOfEvent(e, legs.get(uuid)));
  }
}

/* ---- the state as it is ---- */
const loaders = {
  async legs() {
    const got = await get('/v1/channels');
    const old = new Map(legs);
    legs.clear();
    for (const r of got.rows) {
      const leg = legOfRow(r);
      leg.isRecorded = old.get(leg.uuid)?.isRecorded || false;
      legs.set(leg.uuid, leg);
    }
  },
  async registrations() {
    const got = await get('/v1/registrations');
    registrations.clear();
    got.rows.forEach((r, i) => registrations.set(`${r.reg_user}@${r.realm} ${i}`, r));
  },
  async conferences() { conferences.value = (await get('/v1/conferences')).rows; },
  async parking() { parking.value = (await get('/v1/parking')).rows; },
};

async function stateAsk() {
  const mine = socket;
  early = [];
  try {
    for (const one of Object.values(loaders))
      await one();
  } catch {
    mine?.close();
  }
  const list = early || [];
  early = null;
  list.forEach(play);
  changed();
}

/* ---- the socket ---- */
const subscribe = since => socket.send(JSON.stringify({ type: 'subscribe', events: isAll ? [] : wanted, since: since || undefined }));

function onMessage(m) {
  const data = JSON.parse(m.data);
  if (data.type === 'event') {
    lastId = data.id;
    if (isAll) {
      recorded.push(data.event);
      if (recorded.length > RECORDED_MAX)
        recorded.splice(0, RECORDED_MAX / 10);
    }
    if (early)
      early.push(data.event);
    else
      play(data.event);
    changed();
  } else if (data.type === 'gap') {
    stateAsk();
  }
}

export function liveOpen() {
  if (socket)
    return;
  const mine = socket = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/v1/events/ws`);
  mine.onopen = () => {
    isLive.value = true;
    const isBack = lastId !== null;
    subscribe(lastId);
    if (!isBack)
      stateAsk();
  };
  mine.onmessage = onMessage;
  mine.onclose = () => {
    isLive.value = false;
    if (socket !== mine)
      return;
    socket = null;
    if (session.role !== 'none')
      setTimeout(liveOpen, 1500);
  };
}

export function liveClose() {
  const mine = socket;
  socket = null;
  lastId = null;
  mine?.close();
  legs.clear();
  registrations.clear();
  conferences.value = [];
  parking.value = [];
  recorded.length = 0;
}

// The events page reads all there is, on the same socket.
export function allEvents(isOn) {
  isAll = isOn;
  if (socket?.readyState === 1)
    subscribe(lastId);
}
export const refresh = what => loaders[what]().then(changed);
