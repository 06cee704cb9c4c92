"""tools/make-deb.sh makes the package, and leaves nothing else."""
import os
import re
import shutil
import sys
import unittest

from packages import PACKAGES, ROOT, run

NEEDED = ("dpkg-buildpackage", "dh")
# What debhelper and CMake would leave in the tree, and dpkg-buildpackage above it.
LEFTOVERS = ("obj-*", "debian/files", "debian/*.substvars", "debian/.debhelper", "debian/tmp",
             "debian/national-lottery", "../national-lottery*_*")


class Build(unittest.TestCase):
    def test_package_is_made_and_nothing_else(self):
        shutil.rmtree(PACKAGES, ignore_errors=True)
        run(ROOT / "tools" / "make-deb.sh", PACKAGES)
        self.assertEqual([], [path for pattern in LEFTOVERS for path in ROOT.glob(pattern)])
        version = run("dpkg-parsechangelog", "--show-field", "Version", cwd=ROOT).strip()
        architecture = run("dpkg", "--print-architecture").strip()
        self.assertEqual(sorted([f"national-lottery_{version}_{architecture}.{kind}"
                                 for kind in ("buildinfo", "changes", "deb")] +
                                [f"national-lottery-dbgsym_{version}_{architecture}.deb"]),
                         sorted(os.listdir(PACKAGES)))

    def test_version_is_that_of_the_programs(self):
        text = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
        self.assertEqual(re.search(r"project\(lottery VERSION ([\d.]+)", text)[1],
                         run("dpkg-parsechangelog", "--show-field", "Version", cwd=ROOT).strip())

    def test_packages_that_a_build_needs_are_those_that_are_installed(self):
        """debian/control has what tools/install-deps.sh installs, but for what each build has."""
        fields = (ROOT / "debian" / "control").read_text(encoding="utf-8")
        needed = re.search(r"^Build-Depends: (.*?)^\S", fields, re.M | re.S)[1]
        names = set(re.findall(r"^\s*([\w.+-]+)", needed.replace(",", "\n"), re.M))
        installed = set(run(ROOT / "tools" / "install-deps.sh", "--package", "--list").split())
        self.assertEqual(installed - {"build-essential", "gcc", "libc6-dev", "make", "debhelper"},
                         names - {"debhelper-compat", "dh-sequence-installsysusers"})


if __name__ == "__main__":
    missing = [tool for tool in NEEDED if not shutil.which(tool)]
    if missing:
        print(f"skipped: there is no {', '.join(missing)}")
        sys.exit(77)
    unittest.main()
