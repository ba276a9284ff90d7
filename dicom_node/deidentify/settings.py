"""What a site decides of de-identification, and what is made of that."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, field_validator

from dicom_node.deidentify.files import Deidentifier
from dicom_node.deidentify.keyring import Keyring
from dicom_node.deidentify.keys import VARIABLE, site_key
from dicom_node.deidentify.pixel_text import TextDetector
from dicom_node.deidentify.profile import Option, Profile
from dicom_node.deidentify.pseudonyms import Pseudonyms
from dicom_node.deidentify.rules import PixelRules, load_rules
from dicom_node.deidentify.vault import Vault
from dicom_node.errors import SettingsError
from dicom_node.ledger.database import open_database
from dicom_node.section import Section


class VaultSettings(Section):
    """Where it is kept whom a pseudonym stands for.

    Attributes
    ----------
    database
        URL; without it `vault.db` in the data directory.
    keys
        File of the keys, one a line, the one that seals first; None for the environment.
    """

    database: str = ""
    keys: Path | None = None

    def open(self) -> Vault:
        """Return the vault.

        Raises
        ------
        SettingsError
            A key is missing or weak.
        StartError
            The database cannot be used, or rows are sealed with a key that is not among the keys.
        """
        vault = self.open_to_ask()
        vault.require_keys()
        return vault

    def open_to_ask(self) -> Vault:
        """Return the vault, also where some of its rows cannot be opened; raises as `open` for all else."""
        keyring = Keyring(self.keys)
        keyring.keys()  # before a database is made
        return Vault(open_database(self.database, setting="deidentification.vault.database"), keyring)

    def require(self) -> None:
        """Raise as `open` where the vault cannot be used."""
        self.open().database.dispose()


class DeidentificationSettings(Section):
    """How objects are de-identified that leave for research.

    Attributes
    ----------
    profiles
        Options of PS3.15 E.3 by the name of the profile; `basic` has none.
    look_for_text
        Whether images in which something is written are refused; needs the extra ``ocr``.
    vault
        None: nothing leads from a pseudonym back to a person.
    """

    site_key: Path | None = None
    pixel_rules: Path | None = None
    profiles: Mapping[str, tuple[Option, ...]] = Field(default={}, validate_default=True)
    look_for_text: bool = False
    vault: VaultSettings | None = None

    @field_validator("profiles")
    @classmethod
    def _combine(cls, profiles: Mapping[str, tuple[Option, ...]]) -> Mapping[str, tuple[Option, ...]]:
        for name, options in profiles.items():
            Profile(name, frozenset(options))
        return {"basic": (), **profiles}

    def kept_in(self, folder: Path) -> DeidentificationSettings:
        """Return the same with a vault in a folder, where no other place is named for it."""
        if self.vault is None or self.vault.database:
            return self
        vault = self.vault.model_copy(update={"database": f"sqlite:///{folder / 'vault.db'}"})
        return self.model_copy(update={"vault": vault})

    def _site_key(self, path: Path | None) -> bytes:
        """Return the key of the pseudonyms; both kinds of file look alike, and a rotation would drop this one."""
        key = site_key(path)
        if self.vault and key in Keyring(self.vault.keys).keys().values():
            raise SettingsError(f"{path or VARIABLE}: is a key of the vault; pseudonyms need a key of their own")
        return key

    def require_profile(self, name: str) -> None:
        """Raise where there is no such profile.

        Raises
        ------
        SettingsError
            With the names of those that there are.
        """
        if name not in self.profiles:
            raise SettingsError(f"profile: {name!r} is not one of {', '.join(self.profiles)}")

    def deidentifier(self, profile: str, key: Path | None = None) -> Deidentifier:
        """Return what these settings and the keys make of a profile, without the vault: each process opens its own.

        Parameters
        ----------
        key
            File of the site key, in the place of the configured one.

        Raises
        ------
        SettingsError
            There is no such profile, no key or a weak one, the key is one of the vault, or the rules for pixels are
            wrong.
        """
        self.require_profile(profile)
        return Deidentifier(
            Profile(profile, frozenset(self.profiles[profile])),
            Pseudonyms(self._site_key(key or self.site_key)),
            load_rules(self.pixel_rules) if self.pixel_rules else PixelRules(),
            detector=TextDetector() if self.look_for_text else None,
        )
