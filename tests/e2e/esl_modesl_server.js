// An outbound event-socket server made with npm modesl: takes one call, answers, plays, reads a variable, hangs up.
const esl = require("modesl");
const port = Number(process.argv[2]);
const result = { events: [] };
const finish = (error) => {
	if (error) result.error = String(error);
	console.log(JSON.stringify(result));
	process.exit(0);
};
setTimeout(() => finish("timeout"), 30000);
const server = new esl.Server({ port, host: "127.0.0.1", myevents: true }, () => console.log("ready"));
server.on("connection::ready", (conn) => {
	result.info = conn.getInfo().getHeader("Unique-ID");
	conn.on("esl::event::**", (e) => e.getHeader("Event-Name") && result.events.push(e.getHeader("Event-Name")));
	conn.execute("answer", "", () => {
		conn.execute("playback", "tone_stream://%(200,0,440)", (e) => {
			result.response = e.getHeader("Application-Response");
			conn.send("getvar destination_number", null, () => {});
			conn.execute("hangup", "USER_BUSY", () => {});
		});
	});
	conn.on("esl::end", () => finish());
});
