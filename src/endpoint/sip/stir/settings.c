/* The settings of STIR/SHAKEN: FreeSWITCH's names in sofia.conf's global_settings, and a few of our own. Files are read
 * once, when the module is loaded; `reload mod_sofia` reads them again. */
#include "base/log.h"
#include "base/mem.h"
#include "base/slurp.h"
#include "core/conf/config.h"
#include "endpoint/sip/stir/attest_i.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { CA_FILES_MAX = 1000, CACHE_S = 3600, MAX_AGE_S = 60 };
static struct stir_settings settings;
struct stir_counts stir_counts;

static const char *const names[] = {"stir-shaken-as-key", "stir-shaken-as-url", "stir-shaken-vs-ca-dir",
    "stir-shaken-vs-cert-path-check", "stir-shaken-vs-require-date", "stir-shaken-vs-max-age",
    "stir-shaken-vs-cache-ttl", "stir-shaken-vs-tls-ca-file", "stir-shaken-vs-allow-inside"};

bool stir_setting_is_known(const char *name)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcasecmp(names[i], name))
			return true;
	return false;
}

const struct stir_settings *stir_settings(void)
{
	return &settings;
}

static ON_CTL void key_read(const struct xml_node *node)
{
	const char *path = config_param(node, "stir-shaken-as-key", "");
	char error[STIR_ERROR_CHARS] = "", at[CONFIG_AT_CHARS];
	struct buf text;
	if (!*path)
		return;
	buf_init(&text);
	text.max = STIR_CERT_MAX_BYTES;
	const char *why = "";
	int st = slurp(path, STIR_CERT_MAX_BYTES, &text, &why);
	if (st)
		log_error(
		    "sofia: %sstir-shaken-as-key: %s: %s", config_param_at(node, "stir-shaken-as-key", at), path, why);
	else if (stir_key_parse(&settings.key, buf_sv(&text), error))
		log_error("sofia: %sstir-shaken-as-key: %s: %s", config_param_at(node, "stir-shaken-as-key", at), path,
		    error);
	if (text.p)
		explicit_bzero(text.p, text.n);
	buf_fini(&text);
}

static ON_CTL void ca_file_read(const char *dir, const char *name)
{
	char path[1024];
	struct buf text;
	if (name[0] == '.' || snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return;
	buf_init(&text);
	if (slurp(path, 1 << 20, &text, NULL) || stir_ca_add(settings.ca, buf_sv(&text)))
		log_warning("sofia: stir-shaken-vs-ca-dir: %s holds neither certificates nor revocation lists", path);
	buf_fini(&text);
}

static ON_CTL void ca_read(const struct xml_node *node)
{
	const char *name = "stir-shaken-vs-ca-dir", *dir = config_param(node, name, "");
	char at[CONFIG_AT_CHARS];
	const struct dirent *e;
	DIR *d = *dir ? opendir(dir) : NULL;
	if (*dir && !d)
		log_error("sofia: %s%s: %s cannot be read", config_param_at(node, name, at), name, dir);
	for (int i = 0; d && i < CA_FILES_MAX && (e = readdir(d)); i++)
		ca_file_read(dir, e->d_name);
	if (d)
		closedir(d);
	if (*dir && d && !stir_ca_count(settings.ca))
		log_error("sofia: %s%s: there is no certificate in %s", config_param_at(node, name, at), name, dir);
}

static unsigned number(const struct xml_node *node, const char *name, unsigned otherwise)
{
	const char *text = config_param(node, name, "");
	char at[CONFIG_AT_CHARS];
	uint32_t n;
	if (!*text)
		return otherwise;
	if (sv_u32(sv_of(text), &n) || !n) {
		log_warning("sofia: %s%s \"%s\" is no number of seconds; it is %u", config_param_at(node, name, at),
		    name, text, otherwise);
		return otherwise;
	}
	return n;
}

void stir_sip_start(const struct xml_node *node)
{
	char at[CONFIG_AT_CHARS];
	memset(&settings, 0, sizeof(settings));
	settings.url = mem_strdup(config_param(node, "stir-shaken-as-url", ""));
	settings.tls_ca = mem_strdup(config_param(node, "stir-shaken-vs-tls-ca-file", ""));
	settings.checks_path = str_is_true(config_param(node, "stir-shaken-vs-cert-path-check", "true"));
	settings.requires_date = str_is_true(config_param(node, "stir-shaken-vs-require-date", "false"));
	settings.allows_inside = str_is_true(config_param(node, "stir-shaken-vs-allow-inside", "false"));
	settings.cache_s = number(node, "stir-shaken-vs-cache-ttl", CACHE_S);
	settings.max_age_s = number(node, "stir-shaken-vs-max-age", MAX_AGE_S);
	if (stir_ca_new(&settings.ca) || certs_start() || !settings.url || !settings.tls_ca) {
		log_error("sofia: out of memory: no STIR/SHAKEN");
		return;
	}
	if (strlen(settings.url) >= STIR_URL_MAX || strpbrk(settings.url, "<>\" \r\n")) {
		log_error("sofia: %sstir-shaken-as-url is no URL", config_param_at(node, "stir-shaken-as-url", at));
		*settings.url = 0;
	}
	key_read(node);
	ca_read(node);
}

void stir_sip_stop(void)
{
	certs_stop();
	stir_replay_stop();
	mem_free(settings.url);
	mem_free(settings.tls_ca);
	mem_unref(settings.key);
	mem_unref(settings.ca);
	memset(&settings, 0, sizeof(settings));
}

void stir_counts_get(struct stir_counts *out)
{
	*out = stir_counts;
}
