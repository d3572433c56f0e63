// An outbound server made with npm `esl`: takes one call, answers, plays, reads a variable of the call, hangs up.
import { FreeSwitchServer } from 'esl'

const port = Number(process.argv[2])
const quiet = { debug: () => {}, info: () => {}, error: (...a) => console.error(...a) }
const done = (result) => {
  console.log(JSON.stringify(result))
  process.exit(0)
}
setTimeout(() => done({ error: 'timeout' }), 25000)

const server = new FreeSwitchServer({ logger: quiet, all_events: false })
server.on('connection', async (call, { uuid, data }) => {
  try {
    const result = { uuid, number: data['Channel-Destination-Number'] }
    call.on('cleanup_disconnect', () => done(result))
    await call.event_json('CHANNEL_ANSWER', 'CHANNEL_HANGUP')
    call.on('CHANNEL_HANGUP', (e) => { result.cause = e.body['Hangup-Cause'] })
    await call.command('answer')
    result.response = (await call.command('playback', 'tone_stream://%(200,0,440)')).body['Application-Response']
    await call.execute('set', 'from_server=1')
    result.exists = (await call.api(`uuid_getvar ${uuid} from_server`)).body
    await call.hangup('USER_BUSY')
  } catch (e) {
    done({ error: String(e) })
  }
})
await server.listen({ port, host: '127.0.0.1' })
console.log('ready')
