# Give the account named by the argument the password on standard input, and say "changed", unless that is
# its password already. Perl, because it is in every Debian and Ubuntu system and knows the hashes of the
# image's own libcrypt; Ansible's password_hash needs a library on the controller and a salt that stays.
use strict;
use warnings;

my $user = shift;
my $password = do { local $/; <STDIN> };
die "the password must be one line\n" if $password =~ /\n/;

my $hash = (getpwnam $user)[1] // die "no account $user\n";
my $same = crypt($password, $hash);
exit 0 if defined $same && length $hash && $same eq $hash;

open my $chpasswd, '|-', 'chpasswd' or die "chpasswd: $!\n";
print {$chpasswd} "$user:$password\n";
close $chpasswd or die "chpasswd failed\n";
print "changed\n";
