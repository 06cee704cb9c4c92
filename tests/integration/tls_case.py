"""What the tests of TLS have in common: programs with certificates, and what none of their lines may
hold."""
import pathlib
import re

import certificates
from programs import Case
from wire import Peer

BETTORS = re.compile("Santiago Lionel|Lorca|Ana Belén|Paz Ferreyra")
ROW = "Ana Belén,Paz Ferreyra,{},1999-03-17,{}\r\n"


class TlsCase(Case):
    """Its folder is also where a test puts certificates of its own."""

    def tearDown(self):
        lines = certificates.key_lines(certificates.usual().folder, certificates.another().folder,
                                       self.folder)
        self.assertGreater(len(lines), 10)
        for program in self.programs:
            program.kill()
            output = program.output()
            self.assertEqual([line for line in lines if line in output], [], program.name)
            self.assertEqual([text for text in program.texts
                              if BETTORS.search(text) and " DEBUG " not in text], [])
        super().tearDown()

    def secure_server(self, *arguments, identity=None, authority=None, crl=None, **settings):
        """A server with a certificate, the usual one unless it is named."""
        return self.server(*arguments, **{
            **certificates.server_settings(identity, authority, crl), **settings})

    def secure_agency(self, number, port, file=None, identity=None, authority=None,
                      server_name=None, **settings):
        """An agency with a certificate, the one of its number unless it is named."""
        identity = identity or certificates.of_agency(number)
        return self.agency(number, port, file, **{
            **certificates.agency_settings(identity, authority, server_name), **settings})

    def peer(self, server, number, identity=None, **options):
        """An agency in Python."""
        context = certificates.agency_context(identity or certificates.of_agency(number))
        return Peer(server.port, number, tls=context, **options)

    def file_of_bets(self, agency, count, winners=1):
        """The last bets win."""
        path = self.folder / f"agency-{agency}.csv"
        path.write_text("".join(ROW.format(f"{agency}x{i}", 7574 if i >= count - winners else 1)
                                for i in range(count)), encoding="utf-8")
        return path

    def check_winners(self, agency, count):
        """It ends well, and has found so many."""
        self.assertEqual(agency.wait(), 0, agency.output())
        line = agency.lines("consulta_ganadores", "success")[-1]
        self.assertEqual(line.details["cant_ganadores"], str(count))

    def check_complete(self, server, counts, folder=None):
        """Each agency's bets are all there, once, in their order."""
        rows = pathlib.Path(folder or server.folder).joinpath("bets.csv").read_bytes()
        rows = rows.split(b"\r\n")[:-1]
        for agency, count in counts.items():
            mine = [row for row in rows if row.startswith(b"%d," % agency)]
            self.assertEqual([row.split(b",")[3] for row in mine],
                             [b"%dx%d" % (agency, i) for i in range(count)])
        self.assertEqual(len(rows), sum(counts.values()))
