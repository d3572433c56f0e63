// A client of FreeSWITCH's event socket (npm: modesl) at work: connects, subscribes, originates a call to a registered phone,
// plays a file on it, hangs up, and prints what it saw as one JSON object. Arguments: port password user file.
const { Connection } = require('modesl');
const [port, password, user, file] = process.argv.slice(2);
const seen = [];
const done = (result) => setImmediate(() => { // after the handlers of the same event
  console.log(JSON.stringify({ ...result, events: seen }));
  process.exit(0);
});
setTimeout(() => done({ error: 'timeout' }), 20000);

const conn = new Connection('127.0.0.1', Number(port), password, () => {
  conn.events('json', 'CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE PLAYBACK_START PLAYBACK_STOP '
    + 'CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE BACKGROUND_JOB', () => {
    conn.api('status', (status) => {
      conn.bgapi(`originate user/${user} &park`, (job) => {
        const body = job.getBody();
        const uuid = body.replace('+OK ', '').trim();
        if (!body.startsWith('+OK ')) return done({ error: body });
        conn.on('esl::event::PLAYBACK_STOP::*', () => conn.api(`uuid_kill ${uuid}`));
        conn.on('esl::event::CHANNEL_HANGUP_COMPLETE::*', (e) => done({
          uuid, status: status.getBody(), cause: e.getHeader('Hangup-Cause'), duration: e.getHeader('variable_duration'),
        }));
        conn.execute('playback', file, uuid);
      });
    });
  });
});
conn.on('error', (e) => done({ error: String(e) }));
conn.on('esl::event::*::*', (e) => seen.push([e.getHeader('Event-Name'), e.getHeader('Application') || '', e.getHeader('Unique-ID') || '']));
