# A server that is not ours: for each line it receives it does what its argument says.
use strict;
use warnings;
use IO::Socket::INET;

my $manner = shift;
my $listener = IO::Socket::INET->new(LocalPort => 12345, Listen => 5, ReuseAddr => 1) or die $@;
while (my $peer = $listener->accept) {
    while (defined(my $line = <$peer>)) {
        last if $manner eq 'close';
        next if $manner eq 'hang';
        print $peer $manner eq 'wrong' ? "error: $line" : $line;
        $peer->flush;
    }
}
