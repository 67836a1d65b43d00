-- Whether whoever joins a line has to show a CAPTCHA's token. Which provider is asked,
-- and with what key, is a matter of the processes' settings.

ALTER TABLE lines ADD COLUMN captcha boolean NOT NULL DEFAULT false;
