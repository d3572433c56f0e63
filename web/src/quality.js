// How a call sounds, from what the browser counts: loss, jitter and delay, and an estimate of the opinion score from these
// (the E-model of ITU-T G.107 with its defaults; Bpl 10 for G.711 with concealment, 20 for Opus).
export function quality(stats, before) {
  let got = 0, lost = 0, jitter = 0, rtt = 0, codecId = '', codec = '';
  for (const s of stats.values()) {
    if (s.type === 'inbound-rtp' && s.kind === 'audio') {
      got = s.packetsReceived || 0;
      lost = Math.max(0, s.packetsLost || 0);
      jitter = s.jitter || 0;
      codecId = s.codecId;
    } else if (s.type === 'candidate-pair' && s.nominated && s.currentRoundTripTime !== undefined) {
      rtt = s.currentRoundTripTime;
    }
  }
  for (const s of stats.values())
    if (s.type === 'codec' && s.id === codecId)
      codec = (s.mimeType || '').replace('audio/', '');
  const newGot = got - (before?.got || 0), newLost = lost - (before?.lost || 0);
  const loss = newGot + newLost > 0 ? 100 * Math.max(0, newLost) / (newGot + newLost) : 0;
  const delay = 1000 * (rtt / 2 + 2 * jitter) + 20;
  const id = 0.024 * delay + (delay > 177.3 ? 0.11 * (delay - 177.3) : 0), ie = 95 * loss / (loss + (/opus/i.test(codec) ? 20 : 10));
  const r = Math.max(0, Math.min(93.2, 93.2 - id - ie));
  return { got, lost, loss, jitter: jitter * 1000, rtt: rtt * 1000, codec, mos: 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6 };
}
