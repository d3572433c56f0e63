// vertojs (npm) in headless Chromium, unchanged: it logs in, calls a number and is called, with sound: the fake device's beeps go out, what comes
// is looked at. Lines of JSON.
// node browser_verto.mjs CHROMIUM PAGE URL LOGIN PASSWORD NUMBER HZ PROFILE_FOLDER
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { earsInit, launch, tell } from './chromium.mjs';

const [executablePath, pageUrl, url, login, password, number, hz, folder] = process.argv.slice(2);
const bundle = readFileSync(join(dirname(createRequire(import.meta.url).resolve('vertojs')), 'verto.js'), 'utf8');
const context = await launch(folder, executablePath);
await earsInit(context);
await tell(context, pageUrl, bundle, async ({ url, login, password, number, hz }) => {
  const tell = what => console.log(JSON.stringify(what));
  const options = passwd => ({ transportConfig: { socketUrl: url, login, passwd }, rtcConfig: { iceServers: [] }, ice_timeout: 500 });
  const Client = window.Verto.Verto || window.Verto;
  const refused = await new Client(options('wrong')).login().then(() => null, e => e);
  const verto = new Client(options(password));
  await verto.login();
  tell({ in: refused !== null });
  const hears = track => hearsTone(track, hz);
  const mine = await navigator.mediaDevices.getUserMedia({ audio: true });
  const of = (call, name) => new Promise(r => call.subscribeEvent(name, r));
  const rings = new Promise(r => verto.subscribeEvent('invite', r));
  const call = verto.call(mine.getTracks(), number, { caller_id_name: 'vertojs' }), track = of(call, 'track'), answered = of(call, 'answer');
  await answered;
  await hears(await track);
  call.hold();
  await of(call, 'hold');
  call.unhold();
  await of(call, 'unhold');
  await hears(await track);
  const first = of(call, 'bye');
  tell({ spoken: true });
  await first;
  const given = verto.call(mine.getTracks(), number);
  await of(given, 'media');
  given.hangup();
  tell({ ready: true });
  const incoming = await rings, theirs = of(incoming, 'track'), over = of(incoming, 'bye');
  incoming.answer(mine.getTracks());
  await hears(await theirs);
  tell({ heard: true });
  await over;
  return { from: incoming.options.caller_id_number };
}, { url, login, password, number, hz: Number(hz) }, 45000);
