#!/usr/bin/perl
# A client of the event socket in Perl, by the documented wire format alone: header blocks ended by an empty line, bodies by
# Content-Length, plain events with their values URL-encoded. Prints what it saw as "key value" lines. Arguments: port password user.
use strict;
use warnings;
use IO::Socket::INET;

my ($port, $password, $user) = @ARGV;
$SIG{ALRM} = sub { print "error timeout\n"; exit 1 };
alarm 25;
my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Proto => 'tcp') or die "connect: $!";
$s->autoflush(1);
my @events;

sub block {
	my %h;
	while (defined(my $line = <$s>)) {
		chomp $line;
		last if $line eq '';
		my ($name, $value) = split /: /, $line, 2;
		$h{$name} = $value;
	}
	return \%h;
}

sub frame {
	my $h = block();
	die "closed" unless %$h;
	if (my $n = $h->{'Content-Length'}) {
		read($s, $h->{_body}, $n) == $n or die "short body";
	}
	return $h;
}

# A plain event: header lines, perhaps a body of its own Content-Length behind an empty line.
sub event {
	my ($text) = @_;
	my ($head, $rest) = split /\n\n/, $text, 2;
	my %e = map { my ($k, $v) = split /: /, $_, 2; $v =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge; ($k => $v) } split /\n/, $head;
	$e{_body} = $rest if $e{'Content-Length'};
	return \%e;
}

sub reply {
	while (1) {
		my $h = frame();
		return $h unless $h->{'Content-Type'} eq 'text/event-plain';
		push @events, event($h->{_body});
	}
}

sub command {
	print $s "$_[0]\n\n";
	return reply();
}

sub wait_event {
	my ($name) = @_;
	while (1) {
		while (my $e = shift @events) {
			return $e if $e->{'Event-Name'} eq $name;
		}
		my $h = frame();
		push @events, event($h->{_body}) if $h->{'Content-Type'} eq 'text/event-plain';
	}
}

frame()->{'Content-Type'} eq 'auth/request' or die "no greeting";
print 'auth ', command("auth $password")->{'Reply-Text'}, "\n";
print 'event ', command('event plain CHANNEL_ANSWER DTMF CHANNEL_HANGUP BACKGROUND_JOB CUSTOM tests::perl')->{'Reply-Text'}, "\n";
print 'api ', command('api version short')->{_body};
print 'missing ', command('api nosuch')->{_body};
my $job = command("bgapi originate user/$user &park\nJob-UUID: perl-1");
print 'job ', $job->{'Job-UUID'}, "\n";
my ($uuid) = wait_event('BACKGROUND_JOB')->{_body} =~ /^\+OK (\S+)/ or die "not originated";
print 'sendevent ', (command("sendevent CUSTOM\nEvent-Subclass: tests::perl\nText: a b%")->{'Reply-Text'} =~ /^\+OK [0-9a-f-]{36}$/ ? 'ok' : 'no'), "\n";
print 'custom ', wait_event('CUSTOM')->{'Text'}, "\n";
print 'execute ', command("sendmsg $uuid\ncall-command: execute\nexecute-app-name: playback\nexecute-app-arg: tone_stream://%(100,0,440)")->{'Reply-Text'}, "\n";
command("api uuid_recv_dtmf $uuid 5");
print 'dtmf ', wait_event('DTMF')->{'DTMF-Digit'}, "\n";
print 'hangup ', command("sendmsg $uuid\ncall-command: hangup\nhangup-cause: CALL_REJECTED")->{'Reply-Text'}, "\n";
print 'cause ', wait_event('CHANNEL_HANGUP')->{'Hangup-Cause'}, "\n";
print 'exit ', command('exit')->{'Reply-Text'}, "\n";
print 'notice ', frame()->{'Content-Type'}, "\n";
print 'end ', (defined(<$s>) ? 'open' : 'closed'), "\n";
