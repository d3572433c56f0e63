// The outline of a sound: for each of `columns` columns and each channel the loudest sample, 0 to 1. PCM and G.711 in WAV are read
// as they are (an hour of a call is 60 MB, and decoding it as a browser does would take ten times that); others are decoded.
const FULL = 32768;
const ulaw = u => { u = ~u & 255; const v = (((u & 15) << 3) + 132 << ((u & 112) >> 4)) - 132; return u & 128 ? -v : v; };
const alaw = a => { a ^= 0x55; const e = (a & 112) >> 4, m = (a & 15) << 4; const v = e ? (m + 0x108) << (e - 1) : m + 8; return a & 128 ? v : -v; };

// {channels, rate, at, bytes, sample(view, offset), width} or null: no WAV that is read here.
export function wavOf(buffer) {
  const v = new DataView(buffer), word = at => String.fromCharCode(v.getUint8(at), v.getUint8(at + 1), v.getUint8(at + 2), v.getUint8(at + 3));
  if (buffer.byteLength < 44 || word(0) !== 'RIFF' || word(8) !== 'WAVE')
    return null;
  let format = null;
  for (let at = 12; at + 8 <= buffer.byteLength;) {
    const name = word(at), bytes = v.getUint32(at + 4, true);
    if (name === 'fmt ' && at + 24 <= buffer.byteLength) {
      format = { kind: v.getUint16(at + 8, true), channels: v.getUint16(at + 10, true), rate: v.getUint32(at + 12, true), bits: v.getUint16(at + 22, true) };
    } else if (name === 'data' && format) {
      const read = format.kind === 1 && format.bits === 16 ? (d, o) => d.getInt16(o, true) : format.kind === 7 ? (d, o) => ulaw(d.getUint8(o)) : format.kind === 6 ? (d, o) => alaw(d.getUint8(o)) : null;
      if (!read || format.channels < 1 || format.channels > 8 || !format.rate)
        return null;
      // a file that is still being written says 0 or too much
      const there = buffer.byteLength - at - 8;
      return { ...format, at: at + 8, bytes: bytes && bytes <= there ? bytes : there, sample: read, width: format.bits / 8 };
    }
    at += 8 + bytes + (bytes & 1);
  }
  return null;
}

export async function peaksOf(buffer, columns) {
  const wav = wavOf(buffer);
  if (wav) {
    const view = new DataView(buffer), frame = wav.width * wav.channels, frames = Math.floor(wav.bytes / frame);
    const out = Array.from({ length: wav.channels }, () => new Float32Array(columns));
    // no more than 400 samples of a column are looked at: a whole day is drawn at once
    for (let c = 0; c < columns; c++) {
      const from = Math.floor(frames * c / columns), to = Math.max(from + 1, Math.floor(frames * (c + 1) / columns)), step = Math.max(1, Math.floor((to - from) / 400));
      for (let f = from; f < to && f < frames; f += step)
        for (let k = 0; k < wav.channels; k++)
          out[k][c] = Math.max(out[k][c], Math.abs(wav.sample(view, wav.at + f * frame + k * wav.width)) / FULL);
    }
    return { channels: out, seconds: frames / wav.rate };
  }
  const sound = await new OfflineAudioContext(1, 1, 8000).decodeAudioData(buffer);
  const channels = Array.from({ length: sound.numberOfChannels }, (_, k) => {
    const data = sound.getChannelData(k), out = new Float32Array(columns);
    data.forEach((s, i) => { const c = Math.min(columns - 1, Math.floor(i * columns / data.length)); out[c] = Math.max(out[c], Math.abs(s)); });
    return out;
  });
  return { channels, seconds: sound.duration };
}
