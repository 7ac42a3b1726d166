alter table documents add column interruptions integer not null default 0; -- claims that called a model and ended because it was gone
