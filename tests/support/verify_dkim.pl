#!/usr/bin/env perl
# Verifies DKIM signatures with Mail::DKIM, for tests/support/dkim_verifiers.py.
#
# Reads requests, each a line of JSON that says how many octets of message follow it and which key
# records there are: {"length": 5, "records": {"s._domainkey.example.org": "v=DKIM1; ..."}}.
# Writes a line of JSON for each: a list of the signatures, from the top down, as
# {"selector": "s", "domain": "example.org", "result": "pass", "detail": "pass"}.
# No name is looked up: what is not among the records does not exist.
use strict;
use warnings;
use JSON::PP;
use Mail::DKIM::DNS;
use Mail::DKIM::Verifier;
use Net::DNS;

package Records;

sub send {
    my ( $self, $name, $type ) = @_;
    my $packet = Net::DNS::Packet->new( $name, $type );
    my $text = $self->{$name};
    $packet->header->rcode( defined $text ? 'NOERROR' : 'NXDOMAIN' );
    if ( defined $text ) {
        my @strings = unpack '(a255)*', $text;
        $packet->push( answer => Net::DNS::RR->new( name => $name, type => 'TXT', txtdata => \@strings ) );
    }
    return $packet;
}

sub bgsend { return $_[0]->send( $_[1], $_[2] ) }
sub bgbusy { return 0 }
sub bgread { return $_[1] }

package main;

binmode STDIN;
binmode STDOUT;
$| = 1;
while ( my $line = <STDIN> ) {
    my $request = decode_json($line);
    read STDIN, my $message, $request->{length};
    Mail::DKIM::DNS::resolver( bless $request->{records}, 'Records' );
    my $verifier = Mail::DKIM::Verifier->new;
    $verifier->PRINT($message);
    $verifier->CLOSE;
    my @found = map {
        {
            selector => $_->selector,
            domain   => $_->domain,
            result   => $_->result,
            detail   => $_->result_detail,
        }
    } $verifier->signatures;
    print encode_json( \@found ), "\n";
}
