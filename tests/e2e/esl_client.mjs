// npm `esl` at work: connects, subscribes in JSON, originates to a registered phone, plays, hears digits, runs a background job, hangs
// up; prints what it saw as one JSON object. Arguments: port password user file.
import { FreeSwitchClient, once } from 'esl'

const [port, password, user, file] = process.argv.slice(2)
const quiet = { debug: () => {}, info: () => {}, error: (...a) => console.error(...a) }
const seen = []
const done = (result) => {
  console.log(JSON.stringify({ ...result, events: seen }))
  process.exit(0)
}
setTimeout(() => done({ error: 'timeout' }), 25000)

const client = new FreeSwitchClient({ host: '127.0.0.1', port: Number(port), password, logger: quiet })
const connected = once(client, 'connect')
client.connect()
const [call] = await connected
try {
  const names = ['CHANNEL_CREATE', 'CHANNEL_ANSWER', 'CHANNEL_EXECUTE', 'CHANNEL_EXECUTE_COMPLETE', 'PLAYBACK_START', 'PLAYBACK_STOP', 'DTMF',
    'CHANNEL_HANGUP', 'CHANNEL_HANGUP_COMPLETE', 'BACKGROUND_JOB']
  for (const name of names) call.on(name, (e) => seen.push([name, e.body['Application'] ?? e.body['DTMF-Digit'] ?? '', e.body['Unique-ID'] ?? '']))
  await call.event_json(...names)
  const status = await call.api('status')
  const job = await call.bgapi(`originate user/${user} &park`, 20000)
  const uuid = job.body._body.replace('+OK ', '').trim()
  const played = await call.command_uuid(uuid, 'playback', file, 20000)
  const digits = once(call, 'DTMF')
  await call.api(`uuid_recv_dtmf ${uuid} 7`)
  const [digit] = await digits
  await call.filter('Unique-ID', uuid)
  const ended = once(call, 'CHANNEL_HANGUP_COMPLETE')
  await call.hangup_uuid(uuid, 'USER_BUSY')
  const [end] = await ended
  const failed = await call.api('uuid_exists').then((r) => r.body, (e) => ({ failed: String(e) }))
  await call.exit()
  await client.end()
  done({ uuid, status: status.body, response: played.body['Application-Response'], digit: digit.body['DTMF-Digit'],
    cause: end.body['Hangup-Cause'], duration: end.body.variable_duration, failed })
} catch (e) {
  done({ error: String(e) })
}
