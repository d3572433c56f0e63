// Calls made of legs, and what is done with them.
import { legs } from './live.js';
import { ask, onChannel, post, session } from './api.js';
import { call, expect, phone } from './phone.js';

const own = () => session.user && `${session.user}@${session.domain}`;
export const isMine = leg => leg && own() && leg.presence.toLowerCase() === own().toLowerCase();

// One call for the legs of one Channel-Call-UUID; the caller's leg first.
export function callsOf() {
  const calls = new Map();
  for (const leg of legs.values()) {
    const call = calls.get(leg.callUuid);
    if (!call)
      calls.set(leg.callUuid, { id: leg.callUuid, legs: [leg] });
    else if (leg.uuid === leg.callUuid)
      call.legs.unshift(leg);
    else
      call.legs.push(leg);
  }
  for (const c of calls.values()) {
    const [a, b] = c.legs;
    c.a = a;
    c.b = b;
    c.since = a.since;
    c.from = a.direction === 'outbound' ? a.calleeNumber && a.calleeNumber !== '0000000000' ? a.calleeNumber : a.dest : a.cidNumber;
    c.fromName = a.direction === 'outbound' ? a.calleeName : a.cidName;
    c.to = a.direction === 'outbound' && !b ? a.dest : b && a.direction === 'outbound' ? b.cidNumber : a.dest;
    c.toName = b ? b.calleeName || b.cidName : '';
    c.state = c.legs.some(l => l.callstate === 'HELD') ? 'HELD' : b && c.legs.some(l => l.callstate === 'RINGING' || l.callstate === 'EARLY') ? 'RINGING' : a.callstate;
    c.isRecorded = c.legs.some(l => l.isRecorded);
    c.isMine = c.legs.some(isMine);
  }
  return [...calls.values()];
}

export const hangUp = call => ask('DELETE', `/v1/channels/${call.a.uuid}`);
export const hold = call => onChannel((call.b && isMine(call.b) ? call.b : call.a).uuid, 'hold', 'toggle');

// Whom a transfer moves: the far side of one's own phone, else the caller.
export async function transfer(call, to) {
  const moved = isMine(call.a) && call.b ? call.b : call.a;
  if (to.queue)
    return post('/v1/callcenter/calls', { queue: to.queue, uuid: moved.uuid });
  const room = to.application ? `'${to.application}' inline` : `${to.number} XML ${to.context || 'default'}`;
  return onChannel(moved.uuid, 'transfer', room);
}

// The side a supervisor speaks to when he whispers: a phone of ours, the called one of two.
const ours = call => (call.b?.presence ? call.b : call.a.presence ? call.a : call.b || call.a);
const said = { listen: {}, whisper: { eavesdrop_whisper_bleg: 'true' }, barge: { eavesdrop_whisper_aleg: 'true', eavesdrop_whisper_bleg: 'true' } };
// One's own phone rings and is joined to the call: hearing both, heard by our side (whisper) or by both (barge).
export const supervise = (call, how) => post('/v1/originate', { target: `user/${session.user}@${session.domain}`, application: 'eavesdrop', data: ours(call).uuid,
  caller_id_name: 'Listen', variables: { ignore_early_media: 'true', ...said[how], ...expect() } });

export function record(call) {
  const leg = call.legs.find(l => l.isRecorded) || call.a;
  return onChannel(leg.uuid, 'record', leg.isRecorded ? 'stop all' : `start console-${leg.uuid}.wav`);
}
// The browser phone calls by itself; another phone of ours rings first.
export async function dial(number) {
  if (phone.state !== 'on')
    return post('/v1/dial', { number });
  call(number);
}
