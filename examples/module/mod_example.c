/* An example of a module for Tandem: an application that plays and asks for digits, a command, an event of its own, a
 * subscription, a timer, a parameter of the configuration. Build: make. Needs tandem/module.h and nothing else. */
#include <stdio.h>
#include <string.h>
#include <tandem/module.h>

#ifndef EXAMPLE_VERSION
#define EXAMPLE_VERSION "1.0"
#endif

static const struct tandem_host *host;
static struct tandem_self *self;
static unsigned long answered_count, tick_count;
static char greeting[200];

/* example_greet [tone]: answers, plays, asks for up to four digits, tells them by an event and in a variable. */
static int app_greet(struct tandem_leg *leg, const char *data)
{
	struct tandem_event *event;
	char digits[8];
	int status;

	status = host->leg_answer(leg);
	if (status)
		return status;
	host->log(leg, TANDEM_LOG_INFO, "%s: greeting %s", greeting, host->leg_uuid(leg));
	status =
	    host->leg_read(leg, 1, 4, *data ? data : "tone_stream://%(500,0,440)", 5000, "#", digits, sizeof(digits));
	host->leg_set(leg, "example_digits", digits);
	event = host->event_new("CUSTOM", "example::digits");
	if (event) {
		host->event_add(event, "Digits", digits);
		host->event_add(event, "Status", status ? "failure" : "success");
		host->event_add_leg(event, leg);
		host->event_fire(event);
	}
	return status == TANDEM_HANGUP ? status : TANDEM_OK;
}

/* What blocks runs on a worker. */
static void read_file(void *argument)
{
	char *line = argument;
	FILE *f = fopen("/proc/sys/kernel/ostype", "r");
	if (!f || !fgets(line, 32, f))
		line[0] = 0;
	line[strcspn(line, "\n")] = 0;
	if (f)
		fclose(f);
}

static int api_example(struct tandem_command *command, const char *args)
{
	char text[64] = "";

	if (!strcmp(args, "count")) {
		host->reply(command, "+OK %lu answered, %lu ticks\n", answered_count, tick_count);
	} else if (!strcmp(args, "system")) {
		if (host->work(self, read_file, text))
			host->reply(command, "-ERR no worker\n");
		else
			host->reply(command, "+OK %s\n", text);
	} else if (!strcmp(args, "wait")) {
		host->sleep(200);
		host->command_run("hostname", "", text, sizeof(text));
		host->reply(command, "+OK %s\n", text);
	} else {
		host->reply(command, "+OK %s %s\n", EXAMPLE_VERSION, greeting);
	}
	return TANDEM_OK;
}

static void on_answer(const struct tandem_event *event, void *argument)
{
	unsigned long *count = argument;
	if (host->event_get(event, "Unique-ID"))
		++*count;
}

static void on_tick(void *argument)
{
	(void)argument;
	tick_count++;
}

static int example_load(const struct tandem_host *from, struct tandem_self *me)
{
	host = from, self = me;
	snprintf(greeting, sizeof(greeting), "%s", host->config_param("example.conf", "greeting", "hello"));
	if (!host->subscribe(self, "CHANNEL_ANSWER", NULL, on_answer, &answered_count))
		return TANDEM_NOMEM;
	if (!host->timer_new(self, 100, 1, on_tick, NULL))
		return TANDEM_NOMEM;
	host->log(NULL, TANDEM_LOG_NOTICE, "example %s loaded into Tandem %s", EXAMPLE_VERSION, host->version);
	return TANDEM_OK;
}

static const struct tandem_app apps[] = {
    {"example_greet", "Greets and asks for digits", "[<file>]", 0, app_greet},
    {0},
};
static const struct tandem_api apis[] = {
    {"example", "What the example module counts", "[count|system|wait]", api_example},
    {0},
};

TANDEM_MODULE_EXPORT = {
    TANDEM_MODULE_HEAD,
    "mod_example",
    EXAMPLE_VERSION,
    example_load,
    NULL,
    apps,
    apis,
};
