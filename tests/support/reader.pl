#!/usr/bin/perl
# Reads messages with Perl's Email::MIME and Email::Address::XS: a second reader, which shares no code
# with Python's. Each message comes on standard input behind its length (four octets, network order);
# for each one line of JSON goes to standard output. At the end of the input the program ends.
use strict;
use warnings;

use Email::Address::XS qw(parse_email_groups);
use Email::MIME;
use Encode;
use Encode::MIME::Header;
use JSON::PP;
use MIME::Base64 qw(encode_base64);

# The lenient decoder joins words before it decodes them and finds words inside words.
$Encode::MIME::Header::STRICT_DECODE = 1;

binmode STDIN;
binmode STDOUT;
$| = 1;
my $json = JSON::PP->new->ascii->canonical;

while (defined(my $prefix = octets(4))) {
    my $source = octets(unpack 'N', $prefix) // last;
    my @warnings;
    local $SIG{__WARN__} = sub { push @warnings, $_[0] };
    my $reading = eval { reading($source) } // { error => "$@" };
    print $json->encode({ %$reading, warnings => \@warnings }), "\n";
}

sub octets {
    my ($count) = @_;
    my $octets = '';
    while (length $octets < $count) {
        read(STDIN, $octets, $count - length $octets, length $octets) or return undef;
    }
    return $octets;
}

sub reading {
    my ($source) = @_;
    # Parameters in UTF-8 (RFC 6532) are more than the strict parser takes.
    local $Email::MIME::ContentType::STRICT_PARAMS =
        $source !~ /^(?:Content-(?:Type|Disposition):|[ \t])[^\r\n]*[\x80-\xff]/mi;
    my $mail    = Email::MIME->new($source);
    my $subject = field($mail, 'Subject');
    return {
        subject => defined $subject ? words($subject) : undef,
        (map { lc $_ => groups(field($mail, $_)) } qw(From Sender Reply-To To Cc)),
        extra => { map { $_ => words(field($mail, $_)) } grep { /^X-/i } $mail->header_names },
        leaves => [leaves($mail, '')],
    };
}

# The value of a field. Email::Simple makes one blank of the white space at a fold; this does not.
sub field {
    my ($mail, $name) = @_;
    my ($value) = $mail->header_obj->as_string =~ /^\Q$name\E:[ \t]*((?:[^\r\n]|\r\n(?=[ \t]))*)/mi
        or return undef;
    $value =~ s/\r\n//g;
    $value =~ s/^[ \t]+//;
    return characters($value);
}

# UTF-8 in a header, or ASCII; what was decoded before stays as it is.
sub characters {
    my ($text) = @_;
    return $text if utf8::is_utf8($text) or $text !~ /[\x80-\xff]/;
    return Encode::decode('UTF-8', $text, Encode::FB_CROAK);
}

sub words {
    my ($text) = @_;
    return $text =~ /=\?/ ? Encode::decode('MIME-Header', $text) : $text;
}

sub groups {
    my ($text) = @_;
    return [] unless defined $text;
    my @pairs = parse_email_groups($text);
    my @groups;
    while (my ($name, $members) = splice @pairs, 0, 2) {
        push @groups, [ defined $name ? words($name) : undef, [ map { person($_) } @$members ] ];
    }
    return \@groups;
}

sub person {
    my ($address) = @_;
    die 'not an address: ', $address->original, "\n" unless $address->is_valid;
    return [ words($address->phrase // ''), $address->user, $address->host ];
}

sub leaves {
    my ($part, $path, @within) = @_;
    my $type = Email::MIME::ContentType::parse_content_type($part->content_type_raw);
    my $kind = "$type->{type}/$type->{subtype}";
    if (my @parts = $part->subparts) {
        my $number = 0;
        return map {
            leaves($_, $path eq '' ? ++$number : "$path." . ++$number, @within, $kind)
        } @parts;
    }
    my $field       = $part->header_raw('Content-Disposition');
    my $disposition = Email::MIME::ContentType::parse_content_disposition($field // 'none');
    my $name        = $disposition->{attributes}{filename};
    my $octets      = $part->body;
    my $text;
    if ($type->{type} eq 'text' and not defined $name) {
        my $charset = $type->{attributes}{charset} // 'us-ascii';
        $text = Encode::decode($charset, $octets, Encode::FB_CROAK | Encode::LEAVE_SRC);
    }
    return {
        path        => "$path",
        within      => \@within,
        kind        => $kind,
        parameters  => { map { $_ => characters($type->{attributes}{$_}) }
            keys %{ $type->{attributes} } },
        disposition => defined $field ? $disposition->{type} : undef,
        filename    => defined $name ? characters($name) : undef,
        content_id  => scalar $part->header_raw('Content-ID'),
        octets      => encode_base64($octets, ''),
        text        => $text,
    };
}
