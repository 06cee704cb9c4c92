"""What the two images are, apart from what they do."""
import json
import unittest

from engine import docker

IMAGES = ("server:latest", "client:latest")


class Images(unittest.TestCase):
    def test_user_is_a_number(self):
        """Kubernetes' runAsNonRoot cannot tell from a name that it is not root."""
        for image in IMAGES:
            config = json.loads(docker("image", "inspect", image))[0]["Config"]
            self.assertEqual(config["User"], "999:999")

    def test_labels_and_stop_signal(self):
        """What tests/tools finds in the Dockerfiles has arrived in the images."""
        prefix = "org.opencontainers.image."
        for image, title in {**dict(zip(IMAGES, ("lottery-server", "lottery-agency"))),
                             "lottery-netcat:latest": "lottery-netcat"}.items():
            config = json.loads(docker("image", "inspect", image))[0]["Config"]
            self.assertEqual(config["Labels"][f"{prefix}title"], title)
            for name in ("description", "version", "licenses", "base.name"):
                self.assertTrue(config["Labels"][prefix + name])
            self.assertEqual(config["StopSignal"], "SIGTERM")

    def test_no_tools_for_the_network(self):
        """Nothing that only a test needs, such as netcat."""
        for image in IMAGES:
            found = docker("run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c",
                           "command -v nc netcat curl wget || true")
            self.assertEqual(found, "")


if __name__ == "__main__":
    unittest.main()
